/** What the swarm's first process and its others say to each other. */

export interface WorkerSettings {
  readonly server: { readonly host: string; readonly identityPort: number };
  /** By {@link labelsKey} of a host's labels. */
  readonly joinStrings: Readonly<Record<string, string>>;
  readonly seed: number;
  /** Numbers of this process's hosts: `first`, and so many after it. */
  readonly first: number;
  readonly hosts: number;
  /** Joins under way at a time. */
  readonly joinsAtOnce: number;
  /** Hosts that have come up wait for the word `join`. */
  readonly waitsToJoin: boolean;
  readonly odds: Odds;
}

/** How the hosts behave; chances between 0 and 1. */
export interface Odds {
  /** Of a load or unload that its routine refuses. */
  readonly fails: number;
  /** Of one that never returns. */
  readonly hangs: number;
  /** Changes of the loaded kmods a second, over all hosts of the process. */
  readonly changesPerSecond: number;
  /** Hosts that vanish for a while, a second, over all hosts of the process. */
  readonly vanishPerSecond: number;
  /** One change in so many is told of as it happens; absent or 0: none. */
  readonly toldEvery?: number;
}

/** A kmod that somebody on a simulated host has just loaded or unloaded. */
export interface ToldChange {
  readonly host: string;
  readonly kmod: string;
  readonly isLoaded: boolean;
}

export type ToWorker =
  | { readonly kind: 'start'; readonly settings: WorkerSettings }
  | { readonly kind: 'join' }
  /** Every host loses its connection, and connects again. */
  | { readonly kind: 'storm' }
  | { readonly kind: 'odds'; readonly odds: Odds }
  | { readonly kind: 'stop' };

/** What a process has seen from its side. */
export interface WorkerCounts {
  /** Hosts that have come up: their agent has looked at all of it. */
  readonly booted: number;
  readonly joined: number;
  readonly joinFailures: number;
  /** Hosts with a session that the server accepted. */
  readonly live: number;
  /** Sessions that were accepted, ever. */
  readonly welcomes: number;
  readonly changes: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly rssMb: number;
  readonly cpuMs: number;
  readonly trouble: readonly string[];
}

export type FromWorker =
  | { readonly kind: 'counts'; readonly counts: WorkerCounts }
  | { readonly kind: 'change'; readonly change: ToldChange }
  | { readonly kind: 'stopped' };
