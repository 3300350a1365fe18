-- Who may do what: accounts, grants, and tokens that act for an account. `seal` is an HMAC under a key outside the database over every column that
-- gives a right; a row without its seal gives nothing. Rows that this migration makes have none: the server seals them once, at its first start after it.

CREATE TABLE account (
  id          uuid        NOT NULL PRIMARY KEY,
  name        text        NOT NULL,
  kind        text        NOT NULL CHECK (kind IN ('person', 'service')),
  created_by  text        NOT NULL DEFAULT '',
  created_at  timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz,
  disabled_by text,
  seal        bytea
);
CREATE UNIQUE INDEX account_name_key ON account (name);

-- `selector` null: the whole fleet. Labels only: what a host says of itself gives nobody a right.
CREATE TABLE access_grant (
  id         uuid        NOT NULL PRIMARY KEY,
  account_id uuid        NOT NULL REFERENCES account (id),
  role       text        NOT NULL CHECK (role IN ('viewer', 'operator', 'approver', 'admin')),
  selector   text,
  created_by text        NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  revoked_by text,
  seal       bytea
);
CREATE INDEX access_grant_account_id_idx ON access_grant (account_id);

-- `account_id` stays nullable and `role` stays for one release: a server of the version before may still make tokens while replicas are exchanged; those
-- belong to nobody and give nothing. `routes` null: everything that the account may.
ALTER TABLE api_token
  ADD COLUMN account_id uuid,
  ADD COLUMN routes     jsonb,
  ADD COLUMN created_by text NOT NULL DEFAULT '',
  ADD COLUMN revoked_by text,
  ADD COLUMN seal       bytea;
CREATE INDEX api_token_account_id_idx ON api_token (account_id);

-- Each token of before becomes a service account of its own that may do everything, as the token could. It is named as the token, where that is a name
-- for an account and no other token has it; else after the token's shown beginning.
UPDATE api_token SET account_id = gen_random_uuid();
INSERT INTO account (id, name, kind, created_by, created_at)
SELECT account_id, CASE WHEN times = 1 AND name ~ '^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$' AND name !~ '^token-' THEN name ELSE 'token-' || id END,
       'service', 'migration 0008', created_at
  FROM (SELECT *, count(*) OVER (PARTITION BY name) AS times FROM api_token) t;
ALTER TABLE api_token ADD CONSTRAINT api_token_account_id_fkey FOREIGN KEY (account_id) REFERENCES account (id);
INSERT INTO access_grant (id, account_id, role, selector, created_by, created_at)
SELECT gen_random_uuid(), account_id, 'admin', NULL, 'migration 0008', created_at FROM api_token;

-- Who asked for an action, and with which token, so that the right is looked at again when the action is sent. Null: asked before this migration.
ALTER TABLE action
  ADD COLUMN requested_account uuid,
  ADD COLUMN requested_token   uuid,
  ADD COLUMN requester_seal    bytea;
