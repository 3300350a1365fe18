-- What replicas tell each other with their beats: how many hosts each holds, so that one with too many asks some to move, and what its wake-ups go
-- over, so that two that do not hear each other say so. sessions NULL: takes no hosts (yet), or is of before this.
ALTER TABLE replica
  ADD COLUMN sessions integer,
  ADD COLUMN bus      text NOT NULL DEFAULT '';
