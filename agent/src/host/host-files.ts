/** What one read of a host file gave. `error` keeps errno's name, for example EIO. */
export type ReadOutcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'denied'; readonly errno: string }
  | { readonly kind: 'error'; readonly errno: string; readonly message: string };

/** One entry of a directory. */
export interface HostEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory' | 'link' | 'other';
}

/** Size in bytes, modification time in ms since the epoch, and who may do what. */
export interface HostStat {
  readonly size: number;
  readonly mtimeMs: number;
  readonly kind: HostEntry['kind'];
  /** Permission bits. */
  readonly mode: number;
}

/**
 * The first door to the host: files below a root prefix. Paths are absolute as the host sees them (`/proc/modules`); symbolic links are
 * resolved inside the prefix. The only place in the agent that reads host paths.
 */
export interface HostFiles {
  readonly root: string;
  /** UTF-8; a byte-order mark is kept, bytes that are no UTF-8 become U+FFFD. More than 16 MiB: `error` EFBIG, never a cut text. */
  readText(path: string): Promise<ReadOutcome<string>>;
  /** More than `maxBytes` (default 64 MiB): `error` EFBIG, never cut bytes. */
  readBytes(path: string, maxBytes?: number): Promise<ReadOutcome<Uint8Array>>;
  /** Entries sorted by name. */
  list(path: string): Promise<ReadOutcome<readonly HostEntry[]>>;
  /** The link's target as written. */
  readLink(path: string): Promise<ReadOutcome<string>>;
  /** The path with all links resolved, as the host sees it. */
  realPath(path: string): Promise<ReadOutcome<string>>;
  stat(path: string): Promise<ReadOutcome<HostStat>>;
  /**
   * What `stat` says of many files of a disk, in the same order. It asks in short turns on the agent's own thread: a file system that hangs holds
   * the agent meanwhile. For folders of which something was read just before.
   */
  statMany(paths: readonly string[]): Promise<ReadOutcome<HostStat>[]>;
}
