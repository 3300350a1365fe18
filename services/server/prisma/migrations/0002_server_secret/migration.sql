-- Secrets that all replicas share. `cursor`: key of the MAC on list cursors; 244 bits of Postgres's strong random source, hashed to 32 bytes.
CREATE TABLE server_secret (
  name       text        NOT NULL PRIMARY KEY,
  value      bytea       NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO server_secret (name, value) VALUES ('cursor', sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
