import type { OutcomeWord } from '@modfleet/proto';
import type { Ran } from './rollout-hosts.ts';

/** An action of a rollout, as its row is at the end. Times are ms. */
export interface ActionSeen {
  readonly id: string;
  /** Name of the host. */
  readonly host: string;
  readonly role: 'forward' | 'undo';
  readonly state: string;
  readonly outcome: OutcomeWord | null;
  readonly dispatchedAt: number | null;
  readonly endedAt: number | null;
  readonly expiresAt: number;
}

export interface TargetSeen {
  readonly host: string;
  readonly state: string;
  readonly outcome: string | null;
  readonly attempts: number;
  readonly actionId: string | null;
  readonly undoAttempts: number;
  readonly undoActionId: string | null;
}

/** All that is looked at when a rollout is over. */
export interface RolloutSeen {
  readonly verb: 'load' | 'unload';
  /** Names. */
  readonly hosts: readonly string[];
  readonly concurrency: number;
  /** More failures than this exceed the budget. */
  readonly mayFail: number;
  /** When a person accepted what had failed; nothing is said of the budget after it. */
  readonly resumedAt: number | null;
  readonly targets: readonly TargetSeen[];
  readonly actions: readonly ActionSeen[];
  /** What the kernels ran. */
  readonly ran: readonly Ran[];
  /** Outcomes by the counts of the rollout, by those of its waves summed up, and by the list of its hosts. */
  readonly counted: Readonly<Record<string, number>>;
  readonly countedInWaves: Readonly<Record<string, number>>;
  readonly listed: Readonly<Record<string, number>>;
}

/** A result may come this long after the expiry; then it is not waited for. */
const OPEN_AFTER_EXPIRY_MS = 60_000;
/** The sweep looks every second; then a busy machine. */
const SWEEP_MS = 5_000;

/** What is not as it has to be; empty: nothing. Pure. */
export function judgeRollout(seen: RolloutSeen): string[] {
  return [...targetProblems(seen), ...actionProblems(seen), ...kernelProblems(seen), ...paceProblems(seen)];
}

function targetProblems({ hosts, targets, actions, counted, countedInWaves, listed }: RolloutSeen): string[] {
  const problems: string[] = [];
  const names = targets.map(({ host }) => host).sort();
  if (JSON.stringify(names) !== JSON.stringify([...hosts].sort()))
    problems.push(`${targets.length} targets are not the ${hosts.length} hosts`);
  for (const target of targets) {
    if (target.state !== 'ended' || target.outcome === null)
      problems.push(`${target.host} is ${target.state} with ${target.outcome ?? 'no outcome'}`);
    const own = actions.filter(({ host }) => host === target.host);
    for (const [role, attempts, actionId] of [
      ['forward', target.attempts, target.actionId],
      ['undo', target.undoAttempts, target.undoActionId],
    ] as const) {
      const tried = own.filter((action) => action.role === role);
      const ran = tried.filter(({ outcome }) => outcome !== 'cancelled');
      if (actionId !== null && !tried.some(({ id }) => id === actionId))
        problems.push(`the ${role} action ${actionId} of ${target.host} is not there`);
      // What was taken back before it was sent counts as no attempt, unless it was the last.
      if (attempts < ran.length || attempts > tried.length)
        problems.push(`${target.host} has ${attempts} ${role} attempts and ${tried.length} actions`);
    }
  }
  const rows: Record<string, number> = {};
  for (const { outcome } of targets) if (outcome !== null) rows[outcome] = (rows[outcome] ?? 0) + 1;
  for (const [what, counts] of Object.entries({ counts: counted, 'counts of the waves': countedInWaves, list: listed }))
    if (inOrder(counts) !== inOrder(rows)) problems.push(`${what}: ${inOrder(counts)}, rows: ${inOrder(rows)}`);
  return problems;
}

function inOrder(counts: Readonly<Record<string, number>>): string {
  return JSON.stringify(Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function actionProblems({ actions }: RolloutSeen): string[] {
  return actions.flatMap(({ id, host, state, endedAt, expiresAt }) => {
    if (state !== 'ended' || endedAt === null) return [`the action ${id} of ${host} is ${state}`];
    const late = endedAt - expiresAt - OPEN_AFTER_EXPIRY_MS;
    return late > SWEEP_MS ? [`the action ${id} of ${host} was open ${late} ms too long`] : [];
  });
}

/** An action that succeeded ran its routine once, one that failed once and in vain, and every other one none. */
function kernelProblems({ verb, hosts, actions, ran }: RolloutSeen): string[] {
  const problems: string[] = [];
  for (const host of hosts) {
    const own = actions.filter((action) => action.host === host);
    for (const routine of ['init', 'exit'] as const)
      for (const fails of [false, true]) {
        const role = (verb === 'load') === (routine === 'init') ? 'forward' : 'undo';
        const said = own.filter(
          (action) => action.role === role && action.outcome === (fails ? 'failed' : 'succeeded'),
        ).length;
        const did = ran.filter((one) => one.host === host && one.of === routine && one.fails === fails).length;
        if (said !== did)
          problems.push(
            `${host}: ${said} ${role} actions ${fails ? 'failed' : 'succeeded'}, the kernel ran ${did} ${routine}s`,
          );
      }
  }
  return problems;
}

function paceProblems(seen: RolloutSeen): string[] {
  const most = mostAtOnce(seen.actions);
  const late = sentOverBudget(seen);
  return [
    ...(most > seen.concurrency ? [`${most} hosts were under way at once, at most ${seen.concurrency} may be`] : []),
    // What was made before the result and waited for its turn may still go out: never more than may be under way.
    ...(late.length <= seen.concurrency
      ? []
      : [`${late.length} were sent after the budget was exceeded, the last ${Math.max(...late)} ms later`]),
  ];
}

/** Hosts that had an action at once, from its dispatch until its end. */
export function mostAtOnce(actions: readonly ActionSeen[]): number {
  const moments = actions
    .flatMap(({ dispatchedAt, endedAt }): [number, number][] =>
      dispatchedAt === null
        ? []
        : [
            [dispatchedAt, 1],
            [endedAt ?? Infinity, -1],
          ],
    )
    .sort(([one, up], [other, otherUp]) => one - other || up - otherUp);
  let under = 0;
  let most = 0;
  for (const [, change] of moments) {
    under += change;
    most = Math.max(most, under);
  }
  return most;
}

/** How long after the result that exceeded the budget each later action was sent, ms. */
export function sentOverBudget({ actions, mayFail, resumedAt }: RolloutSeen): number[] {
  const failures = actions
    .filter(({ role, outcome }) => role === 'forward' && (outcome === 'failed' || outcome === 'interrupted'))
    .flatMap(({ endedAt }) => endedAt ?? [])
    .sort((one, other) => one - other);
  const exceededAt = failures[mayFail];
  if (exceededAt === undefined) return [];
  return actions
    .filter(({ role }) => role === 'forward')
    .flatMap(({ dispatchedAt }) => dispatchedAt ?? [])
    .filter((at) => at > exceededAt && (resumedAt === null || at < resumedAt))
    .map((at) => at - exceededAt);
}
