-- Confirm windows: how long (0: none), which protections are set aside, until when the host waits, and when the confirm was offered to whom.
-- Offered is not kept: only the host's result says that.
ALTER TABLE action
  ADD COLUMN confirm_window_s   integer     NOT NULL DEFAULT 0,
  ADD COLUMN overrides          text[]      NOT NULL DEFAULT '{}',
  ADD COLUMN confirm_deadline   timestamptz,
  ADD COLUMN confirm_offered_at timestamptz,
  ADD COLUMN confirm_peer       text;
