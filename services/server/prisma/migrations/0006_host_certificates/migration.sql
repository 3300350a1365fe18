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

-- As before (0001), and: a revoked host cannot report.
CREATE OR REPLACE VIEW facet_coverage AS
SELECT h.id AS host_id, f.facet, hf.digest,
       CASE
         WHEN h.revoked_at IS NOT NULL OR h.quarantined_at IS NOT NULL THEN 'incapable'
         WHEN p.live IS NOT TRUE THEN 'silent'
         WHEN (p.vouched & (1 << f.facet)) = 0 THEN 'stale'
         WHEN hf.incapable_reason IS NOT NULL THEN 'incapable'
         WHEN hf.digest IS NULL THEN 'stale'
         ELSE 'fresh'
       END AS coverage,
       CASE
         WHEN h.revoked_at IS NOT NULL THEN 'revoked: ' || coalesce(h.revoke_reason, '')
         WHEN h.quarantined_at IS NOT NULL THEN 'quarantined: ' || coalesce(h.quarantine_reason, '')
         WHEN p.host_id IS NULL THEN 'never connected'
         WHEN p.live IS NOT TRUE THEN 'not connected'
         WHEN hf.host_id IS NULL THEN 'not reported yet'
         WHEN hf.incapable_reason IS NOT NULL THEN hf.incapable_reason
         WHEN (p.vouched & (1 << f.facet)) = 0 THEN 'not observed lately'
       END AS reason,
       CASE
         WHEN hf.host_id IS NULL THEN NULL
         WHEN p.open AND (p.vouched & (1 << f.facet)) <> 0
           THEN greatest(hf.observed_at, p.beat_at - make_interval(secs =>
                  (CASE WHEN f.facet = 1 THEN p.loaded_window_ms ELSE p.facet_window_ms END) / 1000.0))
         ELSE hf.observed_at
       END AS observed_at,
       hf.received_at
  FROM host h
  CROSS JOIN (VALUES (1::smallint), (2::smallint), (3::smallint), (4::smallint), (5::smallint)) AS f (facet)
  LEFT JOIN host_facet hf ON hf.host_id = h.id AND hf.facet = f.facet
  LEFT JOIN session_presence p ON p.host_id = h.id
 WHERE h.retired_at IS NULL;
