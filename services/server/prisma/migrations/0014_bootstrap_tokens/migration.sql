-- Tokens that were made for STATE_DIR/admin-token, so that "modfleet-server admin-token rotate" and "close" end all of them, whatever became of the file. True is
-- sealed. Null: made before it was noted; then it is told by its name, account and life (bootstrapTokens in api-token.queries.ts).
ALTER TABLE api_token ADD COLUMN bootstrap boolean;
