-- Once, as an administrator of the database, after `kantoku up` has made its tables.
CREATE ROLE shop LOGIN;
GRANT USAGE ON SCHEMA kantoku TO shop;
GRANT EXECUTE ON FUNCTION
  kantoku.spawn(text, text, jsonb), kantoku.spawn(text, bytea, jsonb), kantoku.spawn(text, jsonb, jsonb)
  TO shop;

CREATE TABLE booking (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  guest text NOT NULL,
  room int NOT NULL UNIQUE,
  mail uuid NOT NULL  -- The task that writes to the guest.
);
GRANT SELECT, INSERT ON booking TO shop;
