export const EPOCH_USAGE = `modfleet-server epoch show
modfleet-server epoch raise [--dry-run]`;
