import type { HostHealth } from '@modfleet/proto';

/** How one kmod stood, as far as an undo may have to bring it back. */
export interface KmodRecord {
  readonly name: string;
  /** Live in /proc/modules. */
  readonly loaded: boolean;
  /** Readable parameters, name and value as sysfs shows them; of built-in code, too. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** Those that can be written at run time. */
  readonly writable: readonly string[];
  /** The file by which modfleet loads it at boot is there, as modfleet writes it. */
  readonly persisted: boolean;
}

/** How the host stood before the first step, or stands now, as far as an action may touch it. */
export interface HostRecord {
  /** Empty: not known. */
  readonly bootId: string;
  /** In the order in which they were loaded; then those that are not. */
  readonly kmods: readonly KmodRecord[];
  readonly health: HostHealth;
}
