-- Certificates of hosts: which one was issued and used last, when it ends, and whether the host was revoked.
-- renewal_counter: of the certificate issued last (its serial number holds it). certificate_used: serial number of the latest one that was used, for a
-- session or a renewal; empty: none, or whichever comes next (after a release from quarantine). An older one that is used after it shows a copy.

ALTER TABLE host
  ADD COLUMN renewal_counter       bigint      NOT NULL DEFAULT 0,
  ADD COLUMN certificate_used      text        NOT NULL DEFAULT '',
  ADD COLUMN certificate_not_after timestamptz,
  ADD COLUMN renewed_at            timestamptz,
  ADD COLUMN revoked_at            timestamptz,
  ADD COLUMN revoked_by            text,
  ADD COLUMN revoke_reason         text;

-- What is looked at every second or two, on every replica: who is to be cut off. Few hosts are ever in them.
CREATE INDEX host_revoked_at_idx ON host (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX host_retired_at_idx ON host (retired_at) WHERE retired_at IS NOT NULL;
CREATE INDEX host_quarantined_at_idx ON host (quarantined_at) WHERE quarantined_at IS NOT NULL;

-- Machines that were seen with the identity of a quarantined host: one row a boot and address.
CREATE TABLE host_sighting (
  host_id    uuid        NOT NULL,
  boot_id    text        NOT NULL DEFAULT '',
  address    text        NOT NULL,
  first_seen timestamptz NOT NULL DEFAULT now(),
  last_seen  timestamptz NOT NULL DEFAULT now(),
  -- The counter of the certificate that it showed.
  counter    bigint      NOT NULL DEFAULT 0,
  -- session or renewal: what it was doing.
  how        text        NOT NULL,
  PRIMARY KEY (host_id, boot_id, address)
);
