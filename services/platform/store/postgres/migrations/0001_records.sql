-- Who owns each partition: the last that opened it.
CREATE TABLE {schema}.{component}_partition (
  partition int4 PRIMARY KEY,
  epoch int8 NOT NULL,
  format int4 NOT NULL,
  holder text NOT NULL,
  opened timestamptz NOT NULL
);

-- A row is never updated: a record that is put again is a new row under the batch's number, and the
-- row before it is deleted. In any snapshot a key has one row at most, the newest one in the index.
-- The number of a partition's last batch is that of its row of kind -1, whose value says between
-- which keys there may be records of each kind (key_spans.h).
CREATE TABLE {schema}.{component}_record (
  key int8 NOT NULL,
  batch int8 NOT NULL,
  partition int4 NOT NULL,
  kind int2 NOT NULL,
  value bytea NOT NULL,
  PRIMARY KEY (partition, kind, key, batch)
) WITH (
  -- Most rows die young: they are cleared away while their pages are still in memory.
  autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100000,
  autovacuum_vacuum_insert_scale_factor = 0.2, autovacuum_analyze_scale_factor = 0.2
);

-- Payloads come compressed or do not compress; trying costs more than it saves.
ALTER TABLE {schema}.{component}_record ALTER COLUMN value SET STORAGE EXTERNAL;

-- One batch, all or nothing. Returns NULL when the owner is fenced, else the number of the last
-- batch before this one. Nothing has changed if that is not lower than this one's, or lower than
-- `previous`, the last that the owner knows to be durable.
--
-- The lock is held until the transaction ends: it makes whoever opens the partition wait for this
-- commit, or this commit fail after it, and of two sessions of one owner the second sees what the
-- first has done. Each statement sees what was committed before it begins.
CREATE FUNCTION {schema}.{component}_commit(
  owned_partition int8, owned_epoch int8, previous int8, number int8,
  range_kinds int8[], range_firsts int8[], range_lasts int8[],
  old_kinds int8[], old_keys int8[],
  new_kinds int8[], new_keys int8[], new_values bytea[], spans bytea
) RETURNS int8 LANGUAGE plpgsql AS $$
DECLARE
  last_number int8;
BEGIN
  PERFORM 1 FROM {schema}.{component}_partition AS p
    WHERE p.partition = owned_partition AND p.epoch = owned_epoch FOR NO KEY UPDATE;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;

  SELECT r.batch INTO last_number FROM {schema}.{component}_record AS r
    WHERE r.partition = owned_partition AND r.kind = -1 AND r.key = 0 ORDER BY r.batch DESC LIMIT 1;
  last_number := coalesce(last_number, 0);
  IF last_number >= number OR last_number < previous THEN
    RETURN last_number;
  END IF;

  IF cardinality(range_kinds) > 0 THEN
    DELETE FROM {schema}.{component}_record AS r
      USING unnest(range_kinds, range_firsts, range_lasts) AS gone(kind, first, last)
      WHERE r.partition = owned_partition AND r.kind = gone.kind
        AND r.key BETWEEN gone.first AND gone.last;
  END IF;

  -- Newest first: what is dead already, and cannot be cleared away while somebody looks at an old
  -- snapshot, is not walked over.
  DELETE FROM {schema}.{component}_record AS r WHERE r.ctid = ANY (ARRAY(
    SELECT newest.ctid
      FROM unnest(old_kinds || int8 '-1', old_keys || int8 '0') AS gone(kind, key)
      CROSS JOIN LATERAL (
        SELECT o.ctid FROM {schema}.{component}_record AS o
          WHERE o.partition = owned_partition AND o.kind = gone.kind AND o.key = gone.key
          ORDER BY o.batch DESC LIMIT 1) AS newest));

  INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value)
    SELECT owned_partition, fresh.kind, fresh.key, number, fresh.value
      FROM (  -- As a function in FROM all values would be copied first, and to disk if they are many.
        SELECT unnest(new_kinds) AS kind, unnest(new_keys) AS key, unnest(new_values) AS value
      ) AS fresh
    UNION ALL SELECT owned_partition, -1, 0, number, spans;
  RETURN last_number;
END
$$
