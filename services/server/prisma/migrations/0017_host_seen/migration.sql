-- When hosts were connected: one row a connection that ended. With it "what was loaded then" says whether the server saw the host at that time. Partitioned by
-- week of the end, as kmod_event, and kept as long. Connections that ended before this migration are not on record, but for the latest of each host.
CREATE TABLE host_seen (
  host_id    uuid        NOT NULL,
  seen_from  timestamptz NOT NULL,
  seen_until timestamptz NOT NULL
) PARTITION BY RANGE (seen_until);
CREATE INDEX host_seen_host_id_seen_until_idx ON host_seen (host_id, seen_until);
-- Takes what no weekly partition takes, so that a late partition never ends in a session that cannot end.
CREATE TABLE host_seen_default PARTITION OF host_seen DEFAULT;

INSERT INTO host_seen (host_id, seen_from, seen_until)
SELECT host_id, connected_at, disconnected_at FROM host_session WHERE disconnected_at IS NOT NULL;

-- However a session ends: closed, replaced by a newer one, buried with its replica, or forgotten with its host. One that was never closed was seen until the
-- last beat of its replica; while that lives, until now.
CREATE FUNCTION note_host_seen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  ended timestamptz;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    ended := NEW.disconnected_at;
  END IF;
  IF ended IS NULL THEN
    SELECT CASE WHEN r.beat_at > now() - interval '10 seconds' THEN now() ELSE r.beat_at END INTO ended FROM replica r WHERE r.id = OLD.replica_id;
  END IF;
  INSERT INTO host_seen (host_id, seen_from, seen_until) VALUES (OLD.host_id, OLD.connected_at, greatest(OLD.connected_at, ended));
  RETURN NULL;
END $$;
CREATE TRIGGER host_session_ended AFTER UPDATE ON host_session FOR EACH ROW
  WHEN (OLD.disconnected_at IS NULL AND (NEW.disconnected_at IS NOT NULL OR NEW.session_no <> OLD.session_no))
  EXECUTE FUNCTION note_host_seen();
CREATE TRIGGER host_session_forgotten AFTER DELETE ON host_session FOR EACH ROW
  WHEN (OLD.disconnected_at IS NULL)
  EXECUTE FUNCTION note_host_seen();
