-- The audit log (docs/audit.md). A schema of its own, because the owner of the schema `public` may drop tables there whoever owns them:
-- "modfleet-server audit protect" gives this schema to a role that the server is not.
CREATE SCHEMA audit;

-- One row per decision, written in the transaction of what it allows. `mac` is over all other columns (services/server/src/audit/row-bytes.ts).
-- A lane is used by one transaction at a time, so its numbers have no gaps, also where transactions were rolled back.
CREATE TABLE audit.entry (
  replica_id   uuid           NOT NULL,
  lane         integer        NOT NULL CHECK (lane >= 0),
  number       bigint         NOT NULL CHECK (number >= 1),
  -- Milliseconds, because that is what the mac covers.
  at           timestamptz(3) NOT NULL,
  actor_kind   text           NOT NULL,
  actor_id     text,
  actor_name   text           NOT NULL,
  via          text           NOT NULL,
  address      text,
  request_id   text,
  what         text           NOT NULL,
  object       text,
  kmod         text,
  selector     text,
  target_count integer        NOT NULL CHECK (target_count >= 0),
  target_root  bytea          NOT NULL,
  -- Sorted; empty where the targets are no hosts.
  host_ids     uuid[]         NOT NULL CHECK (host_ids = '{}' OR (array_ndims(host_ids) = 1 AND array_lower(host_ids, 1) = 1)),
  reason       text,
  details      text,
  outcome      text           NOT NULL,
  key_digest   bytea,
  mac          bytea          NOT NULL,
  PRIMARY KEY (replica_id, lane, number)
);
CREATE INDEX entry_at_idx ON audit.entry (at, replica_id, lane, number);
-- Nearly every decision is about one host; the few about many are looked through.
CREATE INDEX entry_host_idx ON audit.entry ((host_ids[1]), at) WHERE target_count = 1;
CREATE INDEX entry_many_hosts_idx ON audit.entry (at) WHERE target_count > 1;

-- A seal covers the rows of its ranges (in their order), and the seal before it.
CREATE TABLE audit.seal (
  number     bigint         NOT NULL PRIMARY KEY CHECK (number >= 1),
  at         timestamptz(3) NOT NULL,
  term       bigint         NOT NULL,
  replica_id uuid           NOT NULL,
  -- JSON: [[replica id, lane, first number, last number], …]
  ranges     text           NOT NULL,
  row_count  integer        NOT NULL CHECK (row_count >= 1),
  root       bytea          NOT NULL,
  previous   bytea          NOT NULL,
  key_id     bytea          NOT NULL,
  signature  bytea          NOT NULL
);

CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the audit log is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.entry
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER seal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.seal
  FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

-- Where the sealer looks for rows. Verification believes nothing of it.
CREATE TABLE audit_lane (
  replica_id uuid        NOT NULL,
  lane       integer     NOT NULL,
  sealed_to  bigint      NOT NULL DEFAULT 0,
  opened_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (replica_id, lane)
);

-- Who seals. One row, always there.
CREATE TABLE audit_lease (
  id         integer     NOT NULL PRIMARY KEY DEFAULT 1 CHECK (id = 1),
  owner      uuid,
  term       bigint      NOT NULL DEFAULT 0,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO audit_lease (id) VALUES (1);
