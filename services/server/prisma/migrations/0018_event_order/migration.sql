-- The transaction that stored an event, so that events can be followed in an order in which nothing is added behind what was read: numbers of a sequence,
-- and times, become visible in another order than they were given out. An event is read once every transaction before its own has ended (xid8 never wraps).
-- Null: stored before this was noted; those are history, and nobody follows them. The column and its default are added apart, because a default that changes
-- from row to row would write every partition anew.
ALTER TABLE kmod_event ADD COLUMN stored_by xid8;
ALTER TABLE kmod_event ALTER COLUMN stored_by SET DEFAULT pg_current_xact_id();
-- Events of one flush share it, so equal keys take next to no room.
CREATE INDEX kmod_event_stored_by_idx ON kmod_event (stored_by) WHERE stored_by IS NOT NULL;
