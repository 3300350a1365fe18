import {
  type Evidence,
  type FindingCode,
  type KnownVerb,
  type OverrideWord,
  type PlanStep,
  Verb,
} from '@modfleet/proto';
import type { KernelState } from '../action-host.ts';

/** What is asked, checked and with its words. */
export interface Question {
  readonly verb: KnownVerb;
  /** Canonical. */
  readonly kmod: string;
  /** name=value. */
  readonly parameters: readonly string[];
  readonly dryRun: boolean;
  /** Length of the confirm window that is asked for, seconds; 0: none. */
  readonly confirmWindowSeconds: number;
  /** Protections to be set aside inside that window. */
  readonly overrides: readonly OverrideWord[];
}

/** The host's own say (agent.yaml). Globs over canonical names. */
export interface ActionPolicy {
  readonly mode: 'observe' | 'act';
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly protected: readonly string[];
  /** Changed only inside a confirm window. */
  readonly window: readonly string[];
  /** Longest confirm window, seconds. */
  readonly window_limit: number;
}

/** The file with that say, as evidence names it. */
export const POLICY_FILE = 'agent.yaml';

/** Switches and marks of the running kernel. Undefined: it does not say. */
export interface KernelFacts {
  readonly release: string;
  /** Why there are no loadable kmods; undefined when there are. */
  readonly noModules: string | undefined;
  readonly modulesDisabled: boolean | undefined;
  readonly lockdown: string | undefined;
  readonly sigEnforce: boolean | undefined;
  readonly taint: number | undefined;
  /** A reference count exists, so kmods can be removed. */
  readonly canUnload: boolean;
  /** Effective capability to load and unload (CAP_SYS_MODULE). */
  readonly mayChange: boolean | undefined;
  /** The container that this agent is in: it cannot see what the host stands on. */
  readonly container: string | undefined;
}

/** The kmod as /proc/modules has it. */
export interface LoadedFacts {
  readonly state: KernelState;
  readonly refcount: number | undefined;
  readonly users: readonly string[];
  readonly permanent: boolean;
  /** Readable parameters, now. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Parameters that exist and cannot be read. */
  readonly hiddenParameters: readonly string[];
}

/** One kmod file that a load would read. */
export interface FileFacts {
  readonly name: string;
  /** As the host sees it. */
  readonly path: string;
  /** The index names it, and it is there. */
  readonly present: boolean;
  /** Why what is in it is not known, though it was asked for. */
  readonly unread?: string | undefined;
  /** Undefined: not asked for, or unreadable. */
  readonly signed: boolean | undefined;
  /** The kernel release that it says it was built for (the first word of vermagic). Undefined: as above. */
  readonly builtFor?: string | undefined;
  /** Kmods whose symbols it uses and that neither are there nor would come with it. */
  readonly lacking?: readonly string[] | undefined;
  /** Parameter name to its type (`int`, `charp`, …; empty when not said); undefined: not asked for, or unreadable. */
  readonly parameters: ReadonlyMap<string, string> | undefined;
}

/** A line of modprobe.d or a word of the command line that stands in the way of a load or unload. */
export interface ConfigObstacle {
  readonly kind: 'block' | 'custom' | 'redirect' | 'kernel_blacklist' | 'soft_blacklist' | 'unreadable';
  readonly kmod: string;
  /** A command for its removal, and not for its load. */
  readonly removes?: boolean;
  /** `file:line: text`; of what is unreadable, why. */
  readonly where: string;
}

/** What the tree of the running release says. */
export interface TreeFacts {
  /** Why there is none; undefined when there is one. */
  readonly missing: string | undefined;
  readonly builtin: boolean;
  /** Undefined: no file of that name. */
  readonly file: FileFacts | undefined;
  /** Kmods that answer to this name as an alias, when it is no kmod itself. */
  readonly aliasOf: readonly string[];
  /** Hard dependencies that are neither loaded nor built in, in the order in which they load. */
  readonly dependencies: readonly FileFacts[];
  /** What modprobe would also try: soft dependencies that are neither loaded nor built in, and what those need and want. */
  readonly softDependencies: readonly string[];
}

/** One reason why the host stands on this kmod, or would lose something with it. */
export interface Stake {
  /**
   * storage: under a mount, swap or the agent's own files. route: under the agent's connection. watchdog: an armed one. data: content or an open
   * device would be lost, which nothing brings back. interface: a network interface or ruleset would be lost, which the host may get back.
   */
  readonly kind: 'storage' | 'route' | 'watchdog' | 'data' | 'interface';
  readonly message: string;
  readonly evidence: readonly Evidence[];
  /** False: no revert brings it back (docs/confirm-window.md). A window then only shows that somebody means it. */
  readonly restorable?: boolean;
}

/** All that a verdict rests on, collected at one moment. */
export interface ActionFacts {
  readonly kernel: KernelFacts;
  /** Undefined: not loaded. */
  readonly loaded: LoadedFacts | undefined;
  readonly tree: TreeFacts;
  readonly obstacles: readonly ConfigObstacle[];
  /** Of an unload in a confirm window: what of the configuration would keep its revert from loading the kmod again. */
  readonly reloadObstacles: readonly ConfigObstacle[];
  readonly stakes: readonly Stake[];
  /** Who uses it, as far as can be seen. */
  readonly users: readonly Evidence[];
  /** What could not be seen, one sentence each. */
  readonly unseen: readonly string[];
  /** Programs that are missing. */
  readonly missingPrograms: readonly string[];
  /** A step of ours left the kernel half dead in this boot. */
  readonly died: string | undefined;
}

/** Whether its files and configuration are judged as those of a load: an unload in a confirm window may have to be undone by one. */
export function asksForLoad({ verb, confirmWindowSeconds }: Question): boolean {
  return verb !== Verb.VERB_UNLOAD || confirmWindowSeconds > 0;
}

/** A finding before its layer is looked up. */
export interface RawFinding {
  readonly code: FindingCode;
  readonly refuses: boolean;
  readonly message: string;
  readonly evidence: readonly Evidence[];
}

/** A step before it goes out. */
export type Step = PlanStep & { readonly kind: 'rmmod' | 'modprobe' };

/** One thing to check. */
export function evidence(kind: string, value: string): Evidence {
  return { kind, value };
}
