/** What is asked of a host in a kill round. */
export type KillVerb = 'load' | 'unload' | 'reload';

/** What was seen after a round: the product's word and the kernel's. */
export interface KillEvidence {
  readonly verb: KillVerb;
  readonly state: string;
  readonly outcome: string | null;
  /** `result.loadedAfter` of the action. */
  readonly loadedAfter: boolean | null;
  /** /proc/modules on the host. */
  readonly loaded: boolean;
  /** How often the kmod's init and exit routines ran since the action was asked for, by the kernel's log. */
  readonly inits: number;
  readonly exits: number;
  /** Actions of the host that are not ended. */
  readonly stillOpen: number;
}

/** What the whole of each verb does in the kernel. */
const WHOLE = {
  load: { loaded: true, inits: 1, exits: 0 },
  unload: { loaded: false, inits: 0, exits: 1 },
  reload: { loaded: true, inits: 1, exits: 1 },
} as const satisfies Record<KillVerb, { loaded: boolean; inits: number; exits: number }>;

/**
 * Where the product's word and the kernel disagree; empty when they agree.
 *
 * Always: the action has ended, nothing else is open, no effect came twice, and what the result says of the end is so. `succeeded` means all
 * of it was done. `refused`, `expired`, `cancelled` and `unchanged` mean that nothing was. `interrupted` is honest only where the kernel's
 * state does not show the whole as done. No other outcome has a place here: the kmod is harmless and time is ample.
 */
export function judge(seen: KillEvidence): string[] {
  const whole = WHOLE[seen.verb];
  const problems: string[] = [];
  if (seen.state !== 'ended') problems.push(`the action is ${seen.state}, not ended`);
  if (seen.stillOpen > 0) problems.push(`${seen.stillOpen} actions of the host are still open`);
  if (seen.inits > whole.inits || seen.exits > whole.exits)
    problems.push(
      `a ${seen.verb} ran init ${seen.inits} and exit ${seen.exits} times, at most ${whole.inits} and ${whole.exits} are its own`,
    );
  if (seen.loadedAfter !== null && seen.loadedAfter !== seen.loaded)
    problems.push(`the result says loaded: ${seen.loadedAfter}, /proc/modules says ${seen.loaded}`);
  const done = seen.loaded === whole.loaded && seen.inits === whole.inits && seen.exits === whole.exits;
  const untouched = seen.inits === 0 && seen.exits === 0;
  switch (seen.outcome) {
    case 'succeeded':
      if (!done)
        problems.push(`succeeded, but loaded is ${seen.loaded} after ${seen.inits} inits and ${seen.exits} exits`);
      break;
    case 'interrupted':
      if (done) problems.push('interrupted, although all of it was done');
      break;
    case 'refused':
    case 'expired':
    case 'cancelled':
    case 'unchanged':
      if (!untouched) problems.push(`${seen.outcome}, but init ran ${seen.inits} and exit ${seen.exits} times`);
      break;
    default:
      problems.push(`the outcome is ${seen.outcome ?? 'missing'}`);
  }
  return problems;
}
