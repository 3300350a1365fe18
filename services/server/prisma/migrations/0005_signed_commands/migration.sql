-- Commands are signed when they are accepted. `sequence` counts the accepted actions of a host; `epoch` (kept beside the key, not here) and `sequence`
-- number a command; 0 and no signature: accepted before this migration.
ALTER TABLE host
  ADD COLUMN command_sequence bigint NOT NULL DEFAULT 0;

ALTER TABLE action
  ADD COLUMN epoch               bigint      NOT NULL DEFAULT 0,
  ADD COLUMN sequence            bigint      NOT NULL DEFAULT 0,
  ADD COLUMN not_before          timestamptz,
  ADD COLUMN signature           bytea,
  ADD COLUMN command_certificate bytea;

-- Certificates of the keys that signed, by SHA-256 of their DER. No foreign key: what a row names and is not here is sent without, and its host refuses it.
CREATE TABLE command_certificate (
  id          bytea       NOT NULL PRIMARY KEY,
  certificate bytea       NOT NULL,
  used_at     timestamptz NOT NULL DEFAULT now()
);

-- One row, id 1. While `at` is set nothing is sent to any host, and no action is accepted: a host has taken a command that this database does not know
-- (`why` restored), or an epoch raise was begun and has not ended (`why` raising).
CREATE TABLE command_stop (
  id             integer     NOT NULL PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  at             timestamptz,
  why            text,
  host_id        uuid,
  host_epoch     bigint,
  host_sequence  bigint,
  host_action_id uuid,
  known_epoch    bigint,
  known_sequence bigint
);
INSERT INTO command_stop (id) VALUES (1);
