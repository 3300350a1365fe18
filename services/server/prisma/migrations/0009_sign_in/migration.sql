-- How people sign in: passwords, identities at an identity provider, sign-ins that last, and counters of failed tries.

-- `sealed`: the PHC string with what belongs to it, AES-256-GCM under a key outside the database, bound to the account. A row written or copied by hand
-- does not open.
CREATE TABLE account_password (
  account_id uuid        NOT NULL PRIMARY KEY REFERENCES account (id),
  sealed     bytea       NOT NULL,
  changed_at timestamptz NOT NULL DEFAULT now()
);

-- Issuer and subject are the identity (OpenID Connect Core 1.0, section 5.7); names and addresses of people change hands. `seal`: HMAC over all three.
CREATE TABLE account_identity (
  issuer       text        NOT NULL,
  subject      text        NOT NULL,
  account_id   uuid        NOT NULL REFERENCES account (id),
  linked_by    text        NOT NULL,
  linked_at    timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  seal         bytea       NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX account_identity_account_id_idx ON account_identity (account_id);

-- A sign-in that ended has lost its hash and seal: nobody can bring it back. It is kept for a while, because it says where an account signs in from.
CREATE TABLE sign_in (
  id           uuid        NOT NULL PRIMARY KEY,
  account_id   uuid        NOT NULL REFERENCES account (id),
  hash         bytea,
  carrier      text        NOT NULL CHECK (carrier IN ('cookie', 'bearer')),
  way          text        NOT NULL CHECK (way IN ('password', 'oidc')),
  place        text        NOT NULL,
  agent        text        NOT NULL DEFAULT '',
  created_at   timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL,
  idle_seconds integer     NOT NULL,
  last_used_at timestamptz NOT NULL,
  ended_at     timestamptz,
  ended_by     text,
  seal         bytea
);
CREATE UNIQUE INDEX sign_in_hash_key ON sign_in (hash);
CREATE INDEX sign_in_account_id_created_at_idx ON sign_in (account_id, created_at DESC);

-- Failed tries, by account and by where they come from. `key`: an HMAC, since people type passwords where names belong.
CREATE TABLE login_counter (
  key           bytea       NOT NULL PRIMARY KEY,
  failures      integer     NOT NULL DEFAULT 0,
  last_at       timestamptz NOT NULL DEFAULT now(),
  blocked_until timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_counter_last_at_idx ON login_counter (last_at);
