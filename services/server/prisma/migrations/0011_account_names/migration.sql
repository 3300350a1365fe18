-- Names of accounts are unique without regard to upper and lower case. Of accounts whose names differ by that alone one keeps its name: an enabled one before a
-- disabled one, then the oldest. The others are marked, because a name is sealed with a key that is outside the database: the server gives them other names at its
-- next start, and says which. What is marked is exempt until then.
ALTER TABLE account ADD COLUMN name_twin boolean NOT NULL DEFAULT false;

UPDATE account a SET name_twin = true
  FROM (SELECT id, row_number() OVER (PARTITION BY lower(name COLLATE "C") ORDER BY disabled_at IS NOT NULL, created_at, id) AS place FROM account) p
 WHERE p.id = a.id AND p.place > 1;

-- COLLATE "C": names have ASCII letters alone, and no language's own rules for them.
CREATE UNIQUE INDEX account_name_folded_key ON account (lower(name COLLATE "C")) WHERE NOT name_twin;
