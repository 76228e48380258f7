-- Who serves partitions beside others. One whose row has expired, or that has none, is dead.
CREATE TABLE {schema}.{component}_replica (
  id text PRIMARY KEY,
  address text NOT NULL,
  leaving bool NOT NULL,
  expires timestamptz NOT NULL
) WITH (fillfactor = 50);

-- A row for each partition that there is, from when they were first counted on. '': nobody's.
CREATE TABLE {schema}.{component}_owner (
  partition int4 PRIMARY KEY,
  replica text NOT NULL
) WITH (fillfactor = 50);

-- How many partitions there are; if that is not decided, it is now: as many as there were before
-- there were replicas, else as many as are wanted, 0 being a default.
CREATE FUNCTION {schema}.{component}_count(wanted int8) RETURNS int8 LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM {schema}.{component}_owner) THEN
    LOCK TABLE {schema}.{component}_owner IN SHARE ROW EXCLUSIVE MODE;
    INSERT INTO {schema}.{component}_owner
      SELECT number, '' FROM generate_series(0, coalesce(
        (SELECT max(p.partition) + 1 FROM {schema}.{component}_partition AS p),
        nullif(wanted, 0), 8) - 1) AS number
      WHERE NOT EXISTS (SELECT FROM {schema}.{component}_owner);
  END IF;
  RETURN (SELECT count(*) FROM {schema}.{component}_owner);
END
$$;

-- Who beats lives for so long from now on. Returns who lives then (partition NULL), and whose the
-- partitions are (address NULL). Waits only for whoever clears the caller's own row away.
CREATE FUNCTION {schema}.{component}_beat(
  self text, self_address text, self_leaving int8, lease_ms int8
) RETURNS TABLE (of_partition int4, of_replica text, at_address text, is_leaving bool) LANGUAGE plpgsql AS $$
DECLARE
  beaten timestamptz := clock_timestamp();
BEGIN
  INSERT INTO {schema}.{component}_replica
    VALUES (self, self_address, self_leaving <> 0, beaten + lease_ms * interval '1 millisecond')
    ON CONFLICT (id) DO UPDATE SET address = excluded.address, leaving = excluded.leaving,
      expires = excluded.expires;
  DELETE FROM {schema}.{component}_replica AS r WHERE r.id IN (
    SELECT dead.id FROM {schema}.{component}_replica AS dead
      WHERE dead.expires < beaten - interval '1 minute' FOR UPDATE SKIP LOCKED);
  RETURN QUERY
    SELECT NULL::int4, r.id, r.address, r.leaving FROM {schema}.{component}_replica AS r
      WHERE r.expires > beaten
    UNION ALL SELECT o.partition, o.replica, NULL, NULL FROM {schema}.{component}_owner AS o;
END
$$;

-- Whether it is the caller's now. Who lives is looked up when the lock is held: of two that want the
-- same the second one sees the first.
CREATE FUNCTION {schema}.{component}_claim(self text, wanted int8) RETURNS bool
LANGUAGE plpgsql AS $$
DECLARE
  owner text;
BEGIN
  SELECT o.replica INTO owner FROM {schema}.{component}_owner AS o
    WHERE o.partition = wanted FOR NO KEY UPDATE;
  IF owner = self THEN
    RETURN true;
  END IF;
  -- One that slept while it asked is dead itself.
  IF NOT EXISTS (SELECT FROM {schema}.{component}_replica AS r
                   WHERE r.id = self AND r.expires > clock_timestamp()) THEN
    RETURN false;
  END IF;
  IF owner IS NULL OR EXISTS (SELECT FROM {schema}.{component}_replica AS r
                                WHERE r.id = owner AND r.expires > clock_timestamp()) THEN
    RETURN false;
  END IF;
  UPDATE {schema}.{component}_owner AS o SET replica = self WHERE o.partition = wanted;
  RETURN true;
END
$$
