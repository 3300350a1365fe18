/** Version of proto/modfleet/helper/v1. Courier and helper come in one package; another version means a restart is due. */
export const HELPER_PROTOCOL = 4;

/** Where systemd listens for the courier. */
export const HELPER_SOCKETS = {
  act: '/run/modfleet/helper.sock',
  evidence: '/run/modfleet/evidence.sock',
} as const;

/** `act` changes kmods and owns the journal; `evidence` only looks. */
export type HelperKind = keyof typeof HELPER_SOCKETS;

/** What Node.js compiled of the helper once need not be compiled again. Root's alone: the code in it is run. */
export const HELPER_COMPILE_CACHE = '/var/cache/modfleet-helper';

/** Code of a Rejected that claims nothing: the journal has lost something, and the request may be what it lost. */
export const NOT_KNOWN = 'not_known';
