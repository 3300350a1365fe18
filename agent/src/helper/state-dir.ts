/** Where journal, tombstones and host id are when systemd starts the helper. Root's alone. */
export const HELPER_STATE_DIR = '/var/lib/modfleet-helper';
