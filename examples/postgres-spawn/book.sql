-- What the application does for each booking, as `shop`: the row and the task, or neither.
BEGIN;

INSERT INTO booking (guest, room, mail) VALUES (
  'ada@example.org', 7,
  kantoku.spawn(
    'mail.confirm',
    jsonb_build_object('to', 'ada@example.org', 'room', 7),
    '{"priority": 5, "retry": {"maxAttempts": 10}, "info": {"room": "7"}}'));

COMMIT;
