import { type Evidence, type FindingCode, type OverrideWord, type PlanStep, Verb } from '@modfleet/proto';
import type { RuntimeParameter } from '../../kmod/runtime-parameters.ts';
import type { KernelState } from '../action-host.ts';

/**
 * What one question may be about. An action is one such question, or several in order: ensure_loaded is a load and then `persist`, ensure_unloaded
 * `unpersist` and an unload, a restore one for each of its undo steps (findings/questions.ts).
 */
export type Asked =
  | typeof Verb.VERB_LOAD
  | typeof Verb.VERB_UNLOAD
  | typeof Verb.VERB_RELOAD
  | typeof Verb.VERB_SET_PARAMETERS
  | 'persist'
  | 'unpersist';

/** What is asked, checked and with its words. */
export interface Question {
  readonly verb: Asked;
  /** Canonical. */
  readonly kmod: string;
  /** name=value. */
  readonly parameters: readonly string[];
  readonly dryRun: boolean;
  /** Length of the confirm window that is asked for, seconds; 0: none. */
  readonly confirmWindowSeconds: number;
  /** Protections to be set aside inside that window. */
  readonly overrides: readonly OverrideWord[];
  /** Its parameters were read from this kmod when it was loaded: names that its file does not list are no mistake. */
  readonly recorded?: boolean;
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

/** The file by which modfleet lists a kmod to load at boot. */
export interface Persistence {
  readonly path: string;
  /** foreign: there is something, and not byte for byte what we write. */
  readonly state: 'absent' | 'ours' | 'foreign' | 'unreadable' | 'no_folder';
  /** First line of what is foreign; why it cannot be read. */
  readonly detail: string;
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
  /** Parameters of the loaded kmod, or of code that is built in, by name. Read where they are to be set. */
  readonly runtimeParameters: ReadonlyMap<string, RuntimeParameter>;
  /** Read where it is asked for. */
  readonly persistence: Persistence | undefined;
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
  return loads({ verb }) || (verb === Verb.VERB_UNLOAD && confirmWindowSeconds > 0);
}

/** Whether it loads the kmod, and what that needs. */
export function loads({ verb }: Pick<Question, 'verb'>): boolean {
  return verb === Verb.VERB_LOAD || verb === Verb.VERB_RELOAD;
}

/** Whether it takes the kmod away, be it for a moment. */
export function removes({ verb }: Pick<Question, 'verb'>): boolean {
  return verb === Verb.VERB_UNLOAD || verb === Verb.VERB_RELOAD;
}

/** A finding before its layer is looked up. */
export interface RawFinding {
  readonly code: FindingCode;
  readonly refuses: boolean;
  readonly message: string;
  readonly evidence: readonly Evidence[];
}

/** A step before it goes out. */
export type Step = PlanStep & { readonly kind: StepKind };

/** Kinds of step. A kind without an executor does not compile (steps/). */
export type StepKind = 'rmmod' | 'modprobe' | 'set_parameters' | 'persist' | 'unpersist';

/** Whether a step changes what the next boot does, and not the kernel. Inside a confirm window these run after it was kept. */
export function isPersistent({ kind }: Pick<PlanStep, 'kind'>): boolean {
  return kind === 'persist' || kind === 'unpersist';
}

/** One thing to check. */
export function evidence(kind: string, value: string): Evidence {
  return { kind, value };
}
