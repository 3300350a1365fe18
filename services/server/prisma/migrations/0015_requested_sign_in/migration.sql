-- The sign-in that asked for an action, so that one which somebody ended takes back what it asked for. Sealed with the rest of who asked (requester_seal). Null: an
-- API token asked, or it was asked for before this was noted.
ALTER TABLE action ADD COLUMN requested_sign_in uuid;
