import { assertNever, isKnownVerb, type KnownVerb, Outcome, type PlanStep, Verb } from '@modfleet/proto';
import type { Holding, KernelState } from './action-host.ts';
import type { Ending } from './action.machine.ts';
import type { OpenAction } from './ledger.ts';

/** What the kernel's state proves of an action whose agent died between intent and result. */
export type Proof = 'succeeded' | 'stuck' | 'interrupted' | 'finish';

/** What the last begun step wanted. */
export type Phase = 'unloading' | 'loading';

/**
 * Verb, what the last begun step wanted, and the state of the target now, in the same boot and with no program of ours still at work.
 *
 * - unload: gone is what was asked. Still there proves nothing: the step may not have begun, or the kernel said no.
 * - load: there is what was asked. Absent proves nothing: not begun, or the kernel said no.
 * - reload: gone after its unload half, or absent in its load half: the load half is run now (`finish`), so no host is left without its driver.
 *   There in its unload half proves nothing. A reload of what was not loaded has no unload half, and is settled as the load that it is.
 * - A half-way state with nobody at work is a routine that does not return, if it is the state that the step leads through.
 */
export const PROOFS = {
  [Verb.VERB_LOAD]: {
    unloading: {
      absent: 'interrupted',
      live: 'interrupted',
      loading: 'interrupted',
      unloading: 'interrupted',
      unknown: 'interrupted',
    },
    loading: {
      absent: 'interrupted',
      live: 'succeeded',
      loading: 'stuck',
      unloading: 'interrupted',
      unknown: 'interrupted',
    },
  },
  [Verb.VERB_UNLOAD]: {
    unloading: {
      absent: 'succeeded',
      live: 'interrupted',
      loading: 'interrupted',
      unloading: 'stuck',
      unknown: 'interrupted',
    },
    loading: {
      absent: 'interrupted',
      live: 'interrupted',
      loading: 'interrupted',
      unloading: 'interrupted',
      unknown: 'interrupted',
    },
  },
  [Verb.VERB_RELOAD]: {
    unloading: {
      absent: 'finish',
      live: 'interrupted',
      loading: 'interrupted',
      unloading: 'stuck',
      unknown: 'interrupted',
    },
    loading: {
      absent: 'finish',
      live: 'succeeded',
      loading: 'stuck',
      unloading: 'interrupted',
      unknown: 'interrupted',
    },
  },
} as const satisfies Partial<Record<KnownVerb, Record<Phase, Record<KernelState, Proof>>>>;

/** What is seen of all that a plan wants at its end. `gone`: what it unloaded and was to load again is not loaded. */
export type Whole = 'all' | 'not_all' | 'half_way' | 'unknown' | 'gone';

/**
 * Verbs whose steps are of several kinds, or on several kmods, and what of the whole is so now. That all is as it was asked for is what was asked; less
 * proves nothing. What a restore unloaded to load it again is loaded now (`finish`), as by a reload.
 */
export const WHOLE_PROOFS = {
  all: 'succeeded',
  not_all: 'interrupted',
  half_way: 'stuck',
  unknown: 'interrupted',
  gone: 'finish',
} as const satisfies Record<Whole, Proof>;

/** Verbs that the first table is about; the others are settled by the second. */
type PlainVerb = keyof typeof PROOFS;

/** What is seen after the agent is back. */
export interface Aftermath {
  /** The journal knows all that was done; without that nothing is finished. */
  readonly mayAct: boolean;
  readonly sameBoot: boolean;
  readonly state: KernelState;
  /** Whether the loaded kmod has the parameters that were asked for; undefined when that cannot be seen. */
  readonly parametersHold: boolean | undefined;
  /** For each of {@link wantsOf} the plan whether it is so. */
  readonly holdings: readonly Holding[];
  /** The state of {@link awaitedOf}. */
  readonly awaited: KernelState | undefined;
}

/** What has to be so at the end of a plan: of steps that undo each other the last. Pure. */
export function wantsOf(plan: readonly PlanStep[]): PlanStep[] {
  return plan.filter(
    (step, index) =>
      !plan.slice(index + 1).some((later) => later.kmod === step.kmod && aspectOf(later) === aspectOf(step)),
  );
}

function aspectOf({ kind }: PlanStep): string {
  if (kind === 'rmmod' || kind === 'modprobe') return 'kernel';
  return kind === 'persist' || kind === 'unpersist' ? 'file' : kind;
}

/** The kmod that this action has begun to unload, and has not yet loaded again as its plan says. Pure. */
export function awaitedOf({ intent, lastStep }: OpenAction): string | undefined {
  const { plan } = intent.verdict;
  const gone = plan.slice(0, lastStep + 1).filter((step) => step.kind === 'rmmod');
  const rest = plan.slice(Math.max(lastStep, 1));
  return gone.find(({ kmod }) => rest.some((step) => step.kind === 'modprobe' && step.kmod === kmod))?.kmod;
}

/** What to do with an open action: end it, or run its plan on from a step. */
export type Settlement =
  { readonly kind: 'end'; readonly ending: Ending } | { readonly kind: 'finish'; readonly fromStep: number };

/** Settles what a crash left open. Pure. */
export function settle(open: OpenAction, seen: Aftermath): Settlement {
  const { request, verdict } = open.intent;
  const { kmod } = request;
  if (!seen.sameBoot) {
    return interrupted(
      `the host rebooted while ${kmod} was being worked on; what is loaded now was loaded by this boot`,
    );
  }
  const step = verdict.plan[open.lastStep];
  if (!isKnownVerb(request.verb) || step === undefined)
    return interrupted('the journal holds a plan that this version does not know');
  const phase: Phase = step.kind === 'rmmod' ? 'unloading' : 'loading';
  const verb = settledAs(request.verb, verdict.plan);
  if (!isPlain(verb)) return settleWhole(open, seen);
  const proof: Proof = PROOFS[verb][phase][seen.state];
  switch (proof) {
    case 'succeeded':
      if (phase === 'loading' && seen.parametersHold === false) {
        return interrupted(`${kmod} is loaded, but not with the parameters that were asked for`);
      }
      return end(
        Outcome.OUTCOME_SUCCEEDED,
        '',
        `the agent was restarted meanwhile; ${kmod} is ${phase === 'loading' ? 'loaded' : 'not loaded'}`,
      );
    case 'stuck':
      return end(
        Outcome.OUTCOME_STUCK,
        'stuck',
        `${kmod} is still ${seen.state} after the agent's restart; only a reboot ends this`,
      );
    case 'interrupted':
      return interrupted(
        `the agent ended while this ran, and ${stateWords(kmod, seen.state)}, which does not say whether it was tried`,
      );
    case 'finish':
      if (!seen.mayAct)
        return interrupted(`${kmod} is not loaded, and the damaged journal does not say whether its load was tried`);
      return { kind: 'finish', fromStep: firstLoadStep(open) };
    default:
      return assertNever(proof);
  }
}

function isPlain(verb: KnownVerb): verb is PlainVerb {
  return Object.hasOwn(PROOFS, verb);
}

function settleWhole(open: OpenAction, seen: Aftermath): Settlement {
  const { plan } = open.intent.verdict;
  const { kmod } = open.intent.request;
  const proof: Proof = WHOLE_PROOFS[wholeOf(open, seen)];
  const words = holdingWords(plan, seen.holdings);
  switch (proof) {
    case 'succeeded':
      return end(Outcome.OUTCOME_SUCCEEDED, '', `the agent was restarted meanwhile; ${words}`);
    case 'stuck':
      return end(
        Outcome.OUTCOME_STUCK,
        'stuck',
        `a routine has not returned after the agent's restart; only a reboot ends this; ${words}`,
      );
    case 'interrupted':
      return interrupted(`the agent ended while this ran on ${kmod}, and not all of it is to be seen: ${words}`);
    case 'finish':
      if (!seen.mayAct)
        return interrupted(`${kmod} is not loaded, and the damaged journal does not say whether its load was tried`);
      return { kind: 'finish', fromStep: firstLoadStep(open) };
    default:
      return assertNever(proof);
  }
}

function wholeOf(open: OpenAction, { holdings, awaited }: Aftermath): Whole {
  const rest = open.intent.verdict.plan.slice(firstLoadStep(open));
  // Nothing is unloaded late: that is nobody's loss.
  if (awaited === 'absent' && rest.every((step) => step.kind !== 'rmmod')) return 'gone';
  if (holdings.includes('halfway')) return 'half_way';
  // Its unload may not have begun, and then it has what it had.
  const isUntried = awaited !== undefined && open.intent.verdict.plan[open.lastStep]?.kind === 'rmmod';
  if (holdings.includes('no') || isUntried) return 'not_all';
  return holdings.includes('unknown') ? 'unknown' : 'all';
}

const HOLDING_WORDS = {
  yes: 'is so',
  no: 'is not so',
  halfway: 'is half way',
  unknown: 'cannot be seen',
} as const satisfies Record<Holding, string>;

function holdingWords(plan: readonly PlanStep[], holdings: readonly Holding[]): string {
  return wantsOf(plan)
    .map(({ kind, kmod }, index) => `${kind} ${kmod} ${HOLDING_WORDS[holdings[index] ?? 'unknown']}`)
    .join(', ');
}

/**
 * An action whose window was kept, and whose end was not written before the agent or the host went down. The server knows that it was kept; whether
 * that still holds is another matter after a reboot, or when somebody did something since. Pure.
 */
export function settleKept(
  { request, verdict }: OpenAction['intent'],
  sameBoot: boolean,
  state: KernelState,
  holdings: readonly Holding[],
): Ending {
  const isWhole = isKnownVerb(request.verb) && !isPlain(request.verb);
  const words = isWhole ? holdingWords(verdict.plan, holdings) : stateWords(request.kmod, state);
  const wanted: KernelState = verdict.plan.every((step) => step.kind === 'rmmod') ? 'absent' : 'live';
  const holds = isWhole ? holdings.every((one) => one === 'yes') : state === wanted;
  if (sameBoot && holds)
    return {
      outcome: Outcome.OUTCOME_SUCCEEDED,
      code: '',
      message: `kept; the agent was restarted meanwhile, and ${words}`,
    };
  const message = `it was done and kept, then ${sameBoot ? 'the agent' : 'the host'} went down before the end was written; ${words} now`;
  return { outcome: Outcome.OUTCOME_INTERRUPTED, code: 'interrupted', message };
}

/** Only what was unloaded by this action is loaded again late: a host is not left without its driver, and gets none that it did not have. */
function settledAs(verb: KnownVerb, plan: readonly PlanStep[]): KnownVerb {
  return verb === Verb.VERB_RELOAD && plan.every((step) => step.kind !== 'rmmod') ? Verb.VERB_LOAD : verb;
}

function firstLoadStep(open: OpenAction): number {
  return open.intent.verdict.plan.findIndex((step, index) => index >= open.lastStep && step.kind === 'modprobe');
}

function stateWords(kmod: string, state: KernelState): string {
  switch (state) {
    case 'absent':
      return `${kmod} is not loaded`;
    case 'live':
      return `${kmod} is loaded`;
    case 'loading':
    case 'unloading':
      return `${kmod} is ${state}`;
    case 'unknown':
      return `/proc/modules cannot be read`;
    default:
      return assertNever(state);
  }
}

function interrupted(message: string): Settlement {
  return end(Outcome.OUTCOME_INTERRUPTED, 'interrupted', message);
}

function end(outcome: Outcome, code: string, message: string): Settlement {
  return { kind: 'end', ending: { outcome, code, message } };
}
