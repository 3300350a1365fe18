-- A grant that a group at the identity provider gave ends by itself, unless a sign-in renews it. Null: it holds until it is taken back. What groups gave before
-- has no end here, because the end is sealed with a key that is outside the database: such a grant gives nothing until the server has given it one, at its
-- next start, from the sign-ins that are open then.
ALTER TABLE access_grant ADD COLUMN ends_at timestamptz;
