export declare class EmbeddedPostgresError extends Error {}

/** A running PostgreSQL. */
export interface EmbeddedPostgres {
  /** Connection string of a database of this server (default: postgres). */
  url(database?: string): string;
  readonly pid: number;
  stop(): Promise<void>;
  /** Settles when the server has ended, for whatever reason. */
  readonly exited: Promise<void>;
}

export interface EmbeddedPostgresOptions {
  /** Further server settings, as in postgresql.conf. */
  readonly settings?: Record<string, string>;
  /** Called before a new data folder is made (takes some seconds). */
  readonly onInitialise?: () => void;
}

export declare function startEmbeddedPostgres(
  folder: string,
  options?: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres>;
export declare function freePort(): Promise<number>;
export declare function removeAbandoned(parent: string, prefix: string): void;
