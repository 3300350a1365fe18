-- What a host told of damage to its action journal (empty: none), and since when the server knows.
ALTER TABLE host
  ADD COLUMN journal_damage     text        NOT NULL DEFAULT '',
  ADD COLUMN journal_damaged_at timestamptz;
