-- Join tokens and their uses are sealed as accounts, grants and API tokens are (0008): an HMAC under a key outside the database. A row without its seal
-- lets no machine in. Rows of before are sealed by the server at its first start after this. `number` counts the uses of a token, from 1; null: a use
-- that a server of the version before wrote while replicas were exchanged.
ALTER TABLE join_token ADD COLUMN seal bytea;

ALTER TABLE join_token_use
  ADD COLUMN number integer,
  ADD COLUMN seal   bytea;

UPDATE join_token_use u SET number = n.number
  FROM (SELECT token_id, key_fingerprint, row_number() OVER (PARTITION BY token_id ORDER BY used_at, key_fingerprint) AS number FROM join_token_use) n
 WHERE n.token_id = u.token_id AND n.key_fingerprint = u.key_fingerprint;

CREATE UNIQUE INDEX join_token_use_number_key ON join_token_use (token_id, number);
