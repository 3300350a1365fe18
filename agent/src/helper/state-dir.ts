/** Where journal, tombstones and host id are when systemd starts the helper. Root's alone. */
export const HELPER_STATE_DIR = '/var/lib/modfleet-helper';

/** What Node.js compiled of the helper once need not be compiled again. Root's alone: the code in it is run. */
export const HELPER_COMPILE_CACHE = '/var/cache/modfleet-helper';
