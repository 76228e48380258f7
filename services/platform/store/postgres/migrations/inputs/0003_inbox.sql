-- Tasks that applications spawn by SQL, in transactions of their own. A spawn is a record of kind 21
-- (kInbox in services/inputs/store.h) under batch 0, which only Inputs takes away again, with the
-- batch that admits the task.

-- Which roles may, in which namespace and as whom. Inputs writes it from its configuration when it
-- starts.
CREATE TABLE {schema}.{component}_role (
  role text PRIMARY KEY,
  name_space text NOT NULL,
  owner text NOT NULL,
  partition int4 NOT NULL,        -- Where the namespace lives, and
  slot int4 NOT NULL,             -- the slot of ids that are made here for it (TaskId::kOutside).
  max_payload_bytes int8 NOT NULL
);

-- Of ids; 44 bits of them.
CREATE SEQUENCE {schema}.{component}_spawned AS int8 MAXVALUE 17592186044415;

-- Settings of the session that calls reach into a function unless it has its own: all of these say
-- where names are looked up, and that a backslash in a literal is one.

-- A text of a record: its size as a varint of four bytes, and the text.
CREATE FUNCTION {schema}.{component}_inbox_text(value bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
  SET standard_conforming_strings = on AS $$
  SELECT set_byte(set_byte(set_byte(set_byte('\x00000000'::bytea,
    0, (octet_length(value) & 127) | 128),
    1, ((octet_length(value) >> 7) & 127) | 128),
    2, ((octet_length(value) >> 14) & 127) | 128),
    3, octet_length(value) >> 21) || value
$$;

-- All that a spawn is. Who calls is the role that the session has logged in as, whatever it has SET
-- ROLE to; names are looked up nowhere but where this says.
CREATE FUNCTION {schema}.{component}_inbox_put(
  task_type text, payload bytea, content_type text, options jsonb
) RETURNS uuid LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
  SET standard_conforming_strings = on AS $$
DECLARE
  granted {schema}.{component}_role;
  made int8;
  random bytea := uuid_send(gen_random_uuid());
  id bytea;
  spec text;
BEGIN
  SELECT * INTO granted FROM {schema}.{component}_role AS r WHERE r.role = session_user;
  IF NOT FOUND THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('role "%s" may not spawn tasks', session_user),
      HINT = 'It has to be one of inputs.database_roles in the configuration of Kantoku.';
  END IF;
  IF task_type IS NULL OR task_type = '' THEN
    RAISE null_value_not_allowed USING MESSAGE = 'type: is empty';
  END IF;
  payload := coalesce(payload, '');
  IF octet_length(payload) > granted.max_payload_bytes THEN
    RAISE program_limit_exceeded USING MESSAGE = format(
      'payload: %s bytes exceed the limit of %s', octet_length(payload), granted.max_payload_bytes);
  END IF;
  options := coalesce(options, '{}');
  IF jsonb_typeof(options) <> 'object' OR options ?| ARRAY['type', 'payload'] THEN
    RAISE invalid_parameter_value USING
      MESSAGE = 'options: have to be an object, without type and payload';
  END IF;
  IF content_type <> '' AND NOT options ?| ARRAY['contentType', 'content_type'] THEN
    options := options || jsonb_build_object('contentType', content_type);
  END IF;
  spec := options::text;
  IF octet_length(spec) > 1048576 OR octet_length(task_type) > 1024 THEN
    RAISE program_limit_exceeded USING
      MESSAGE = 'options: more than 1 MiB, or type: more than 1 KiB';
  END IF;

  -- As services/platform/ids.h says.
  made := nextval('{schema}.{component}_spawned');
  id := int8send((floor(extract(epoch FROM clock_timestamp()) * 1000)::int8 << 16)
                 | (7 << 12) | granted.slot)
     || int8send(int8 '-9223372036854775808' | (made << 18) | (get_byte(random, 0) << 10)
                 | (get_byte(random, 1) << 2) | (get_byte(random, 2) & 3));

  INSERT INTO {schema}.{component}_record (partition, kind, key, batch, value) VALUES (
    granted.partition, 21, (granted.slot::int8 << 44) | made, 0,
    '\x01'::bytea || id
    || {schema}.{component}_inbox_text(convert_to(granted.role, 'UTF8'))
    || {schema}.{component}_inbox_text(convert_to(granted.name_space, 'UTF8'))
    || {schema}.{component}_inbox_text(convert_to(granted.owner, 'UTF8'))
    || {schema}.{component}_inbox_text(convert_to(task_type, 'UTF8'))
    || {schema}.{component}_inbox_text(convert_to(spec, 'UTF8'))
    || {schema}.{component}_inbox_text(payload));
  -- Heard when the transaction commits, once however often it is said.
  PERFORM pg_notify(btrim('{schema}', '"') || '_{component}_inbox_' || granted.partition, '');
  RETURN encode(id, 'hex')::uuid;
END
$$;

CREATE FUNCTION {schema}.spawn(type text, payload text, options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET standard_conforming_strings = on AS $$
  SELECT {schema}.{component}_inbox_put(type, convert_to(payload, 'UTF8'), '', options)
$$;
CREATE FUNCTION {schema}.spawn(type text, payload bytea, options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET standard_conforming_strings = on AS $$
  SELECT {schema}.{component}_inbox_put(type, payload, '', options)
$$;
-- NULL is the null of JSON here, and no payload above.
CREATE FUNCTION {schema}.spawn(type text, payload jsonb, options jsonb DEFAULT '{}') RETURNS uuid
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET standard_conforming_strings = on AS $$
  SELECT {schema}.{component}_inbox_put(
    type, convert_to(coalesce(payload, 'null')::text, 'UTF8'), 'application/json', options)
$$;

-- Who may call them is granted by name.
REVOKE ALL ON FUNCTION
  {schema}.{component}_inbox_text, {schema}.{component}_inbox_put,
  {schema}.spawn(text, text, jsonb), {schema}.spawn(text, bytea, jsonb),
  {schema}.spawn(text, jsonb, jsonb) FROM PUBLIC
