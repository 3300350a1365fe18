-- Rotation of the CA: which CAs a host trusts and which one made its certificate, as it says itself; and where each server process stands.
-- CAs are named by the SHA-256 of their certificate, hex. trust_generation 0: the host's agent trusts one CA for ever, or was not heard yet.
ALTER TABLE host
  ADD COLUMN trust_generation bigint NOT NULL DEFAULT 0,
  ADD COLUMN trusted_cas      text[] NOT NULL DEFAULT '{}',
  ADD COLUMN certificate_ca   text   NOT NULL DEFAULT '';

ALTER TABLE replica
  ADD COLUMN ca_generation bigint NOT NULL DEFAULT 0,
  ADD COLUMN ca_phase      text   NOT NULL DEFAULT '';
