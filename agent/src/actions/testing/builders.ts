import { type ActionRequest, requestDigest, UNSIGNED, type Verdict, Verb } from '@modfleet/proto';
import type { ActionFacts, ActionPolicy, FileFacts, LoadedFacts, Question, StepKind } from '../findings/facts.ts';
import type { IntentRecord } from '../journal/journal.ts';

export const HOST_ID = '00000000-0000-4000-8000-000000000001';

/** A request to load `dummy`, unless told otherwise. */
export function aRequest(changes: Partial<ActionRequest> = {}): ActionRequest {
  return {
    actionId: '00000000-0000-4000-8000-00000000000a',
    hostId: HOST_ID,
    verb: Verb.VERB_LOAD,
    kmod: 'dummy',
    parameters: [],
    dryRun: false,
    expiresAtMs: 1_000_000,
    confirmWindowSeconds: 0,
    overrides: [],
    ...UNSIGNED,
    ...changes,
  };
}

export function digestOf(request: ActionRequest): string {
  return Buffer.from(requestDigest(request)).toString('hex');
}

/** A verdict that allows these steps. */
export function anOkVerdict(...steps: readonly (readonly [StepKind, string])[]): Verdict {
  return {
    allowed: true,
    decidedBy: 'ok',
    findings: [],
    plan: steps.map(([kind, kmod]) => ({ kind, kmod, parameters: [], because: 'asked for' })),
    reloadPaths: [],
    digest: Buffer.alloc(0),
  };
}

export function anIntent(request: ActionRequest, verdict: Verdict, bootId = 'boot-1'): IntentRecord {
  return {
    kind: 'intent',
    id: request.actionId,
    digest: digestOf(request),
    request,
    verdict,
    bootId,
    startedAtMs: 1000,
    startedBootMs: 900,
    taintBefore: 0,
  };
}

export function aQuestion(changes: Partial<Question> = {}): Question {
  return {
    confirmWindowSeconds: 0,
    overrides: [],
    verb: Verb.VERB_UNLOAD,
    kmod: 'dummy',
    parameters: [],
    dryRun: false,
    ...changes,
  };
}

export const ACT: ActionPolicy = { mode: 'act', allow: [], deny: [], protected: [], window: [], window_limit: 600 };

export function aFile(name: string, changes: Partial<FileFacts> = {}): FileFacts {
  return {
    name,
    path: `/lib/modules/6.1.0/${name}.ko`,
    present: true,
    signed: undefined,
    parameters: undefined,
    ...changes,
  };
}

/** Live, idle, without parameters. */
export function loaded(changes: Partial<LoadedFacts> = {}): LoadedFacts {
  return {
    state: 'live',
    refcount: 0,
    users: [],
    permanent: false,
    parameters: new Map(),
    hiddenParameters: [],
    ...changes,
  };
}

/** What differs from the plain host below. */
export type FactChanges = Partial<Omit<ActionFacts, 'kernel' | 'tree'>> & {
  readonly kernel?: Partial<ActionFacts['kernel']>;
  readonly tree?: Partial<ActionFacts['tree']>;
};

/** A host where `dummy` is on disk and nothing stands in the way. */
export function someFacts(changes: FactChanges = {}): ActionFacts {
  const { kernel, tree, ...rest } = changes;
  return {
    loaded: undefined,
    runtimeParameters: new Map(),
    persistence: undefined,
    obstacles: [],
    reloadObstacles: [],
    stakes: [],
    users: [],
    unseen: [],
    missingPrograms: [],
    died: undefined,
    ...rest,
    kernel: {
      release: '6.1.0',
      noModules: undefined,
      modulesDisabled: false,
      lockdown: 'none',
      sigEnforce: false,
      taint: 0,
      canUnload: true,
      mayChange: true,
      container: undefined,
      ...kernel,
    },
    tree: {
      missing: undefined,
      builtin: false,
      file: aFile('dummy'),
      aliasOf: [],
      dependencies: [],
      softDependencies: [],
      ...tree,
    },
  };
}
