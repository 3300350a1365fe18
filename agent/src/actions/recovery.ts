import { assertNever, isKnownVerb, type KnownVerb, Outcome, type PlanStep, Verb } from '@modfleet/proto';
import type { KernelState } from './action-host.ts';
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

/** What is seen after the agent is back. */
export interface Aftermath {
  /** The journal knows all that was done; without that nothing is finished. */
  readonly mayAct: boolean;
  readonly sameBoot: boolean;
  readonly state: KernelState;
  /** Whether the loaded kmod has the parameters that were asked for; undefined when that cannot be seen. */
  readonly parametersHold: boolean | undefined;
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
  if (verb !== Verb.VERB_LOAD && verb !== Verb.VERB_UNLOAD && verb !== Verb.VERB_RELOAD)
    return interrupted('the journal holds a verb that this version does not know');
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

/**
 * An action whose window was kept, and whose end was not written before the agent or the host went down. The server knows that it was kept; whether
 * that still holds is another matter after a reboot, or when somebody did something since. Pure.
 */
export function settleKept({ request, verdict }: OpenAction['intent'], sameBoot: boolean, state: KernelState): Ending {
  const words = stateWords(request.kmod, state);
  const wanted: KernelState = verdict.plan.every((step) => step.kind === 'rmmod') ? 'absent' : 'live';
  if (sameBoot && state === wanted)
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
  return open.intent.verdict.plan.findIndex((step, index) => index >= open.lastStep && step.kind !== 'rmmod');
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
