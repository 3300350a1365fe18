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
  /** What a late report made of unconfirmed or stuck. */
  readonly resolved: OutcomeWord | null;
  readonly dispatchedAt: number | null;
  readonly endedAt: number | null;
  readonly expiresAt: number;
}

export interface TargetSeen {
  readonly host: string;
  readonly state: string;
  readonly outcome: string | null;
  /** Why. */
  readonly code: string;
  /** ms */
  readonly endedAt: number | null;
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
  /** After it nothing begins, ms. */
  readonly deadline: number;
  /** Nobody aborted it or rolled it back, no budget either. */
  readonly wentOn: boolean;
  readonly mayFail: number;
  /** The same of exit routines that do not return. */
  readonly mayHang: number;
  /** Routines that hung have returned, all hosts are connected, and there was time to ask them: what was left open is resolved. */
  readonly settled: boolean;
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

/** Something that is not as it has to be, by what was promised. */
export interface Problem {
  /** lost: accepted, and nothing came of it, or not what is said; twice: done more often than accepted; open: without an end for too long; wrong: all else. */
  readonly kind: 'lost' | 'twice' | 'open' | 'wrong';
  readonly words: string;
}

/** What is not as it has to be; empty: nothing. Pure. */
export function judgeRollout(seen: RolloutSeen): Problem[] {
  return [
    ...targetProblems(seen),
    ...countProblems(seen),
    ...actionProblems(seen),
    ...kernelProblems(seen),
    ...paceProblems(seen),
    ...waitProblems(seen),
  ];
}

function targetProblems({ hosts, targets, actions }: RolloutSeen): Problem[] {
  const problems: Problem[] = [];
  const add = (kind: Problem['kind'], words: string): unknown => problems.push({ kind, words });
  const names = targets.map(({ host }) => host).sort();
  if (JSON.stringify(names) !== JSON.stringify([...hosts].sort()))
    add('lost', `${targets.length} targets are not the ${hosts.length} hosts`);
  for (const target of targets) {
    if (target.state !== 'ended' || target.outcome === null)
      add('open', `${target.host} is ${target.state} with ${target.outcome ?? 'no outcome'}`);
    const own = actions.filter(({ host }) => host === target.host);
    for (const [role, attempts, actionId] of [
      ['forward', target.attempts, target.actionId],
      ['undo', target.undoAttempts, target.undoActionId],
    ] as const) {
      const tried = own.filter((action) => action.role === role);
      const ran = tried.filter(({ outcome }) => outcome !== 'cancelled');
      if (actionId !== null && !tried.some(({ id }) => id === actionId))
        add('lost', `the ${role} action ${actionId} of ${target.host} is not there`);
      // What was taken back before it was sent counts as no attempt, unless it was the last.
      if (attempts < ran.length || attempts > tried.length)
        add(
          attempts < ran.length ? 'twice' : 'lost',
          `${target.host} has ${attempts} ${role} attempts and ${tried.length} actions`,
        );
    }
  }
  return problems;
}

function countProblems({ targets, counted, countedInWaves, listed }: RolloutSeen): Problem[] {
  const rows: Record<string, number> = {};
  for (const { outcome } of targets) if (outcome !== null) rows[outcome] = (rows[outcome] ?? 0) + 1;
  return Object.entries({ counts: counted, 'counts of the waves': countedInWaves, list: listed }).flatMap(
    ([what, counts]): Problem[] =>
      inOrder(counts) === inOrder(rows)
        ? []
        : [{ kind: 'wrong', words: `${what}: ${inOrder(counts)}, rows: ${inOrder(rows)}` }],
  );
}

function inOrder(counts: Readonly<Record<string, number>>): string {
  return JSON.stringify(Object.entries(counts).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function actionProblems({ actions, settled }: RolloutSeen): Problem[] {
  return actions.flatMap(({ id, host, state, outcome, resolved, endedAt, expiresAt }): Problem[] => {
    if (state !== 'ended' || endedAt === null)
      return [{ kind: 'open', words: `the action ${id} of ${host} is ${state}` }];
    const late = endedAt - expiresAt - OPEN_AFTER_EXPIRY_MS;
    if (late > SWEEP_MS) return [{ kind: 'open', words: `the action ${id} of ${host} was open ${late} ms too long` }];
    const isResolved = outcome === 'stuck' ? resolved === 'succeeded' : outcome !== 'unconfirmed' || resolved !== null;
    return isResolved || !settled
      ? []
      : [{ kind: 'lost', words: `the action ${id} of ${host}, ${outcome}, is resolved as ${resolved ?? 'nothing'}` }];
  });
}

/** What the end of a routine has to be called. */
const OUTCOME_BY_END = { returned: 'succeeded', failed: 'failed', hung: 'stuck' } as const satisfies Record<
  Ran['end'],
  OutcomeWord
>;
const ENDS = Object.keys(OUTCOME_BY_END) as Ran['end'][];

/** An action that succeeded ran its routine once, one that failed once and in vain, one that is stuck once, and every other one none. */
function kernelProblems({ verb, hosts, actions, ran }: RolloutSeen): Problem[] {
  const problems: Problem[] = [];
  for (const host of hosts) {
    const own = actions.filter((action) => action.host === host);
    for (const routine of ['init', 'exit'] as const)
      for (const end of ENDS) {
        const role = (verb === 'load') === (routine === 'init') ? 'forward' : 'undo';
        const outcome = OUTCOME_BY_END[end];
        const said = own.filter((action) => action.role === role && firstProof(action) === outcome).length;
        const did = ran.filter((one) => one.host === host && one.of === routine && one.end === end).length;
        if (said !== did)
          problems.push({
            kind: did > said ? 'twice' : 'lost',
            words: `${host}: ${said} ${role} actions are ${outcome}, the kernel ran ${did} ${routine}s that ${end}`,
          });
      }
  }
  return problems;
}

/** What is known of how it ended: a late report stands for what nobody had heard of; what is stuck was stuck, whatever came after. */
function firstProof({ outcome, resolved }: ActionSeen): OutcomeWord | null {
  return outcome === 'unconfirmed' ? (resolved ?? outcome) : outcome;
}

function paceProblems(seen: RolloutSeen): Problem[] {
  const most = mostAtOnce(seen.actions);
  const late = sentOverBudget(seen);
  const words = [
    ...(most > seen.concurrency ? [`${most} hosts were under way at once, at most ${seen.concurrency} may be`] : []),
    // What was made before the result and waited for its turn may still go out: never more than may be under way.
    ...(late.length <= seen.concurrency
      ? []
      : [`${late.length} were sent after the budget was exceeded, the last ${Math.max(...late)} ms later`]),
  ];
  return words.map((text) => ({ kind: 'wrong', words: text }));
}

/** A kmod in use is waited for: no host is given up because of it before the deadline, unless nothing goes forward any more. */
function waitProblems({ targets, deadline, wentOn }: RolloutSeen): Problem[] {
  if (!wentOn) return [];
  return targets
    .filter(({ outcome, code, endedAt }) => outcome === 'refused' && code === 'in_use' && (endedAt ?? 0) < deadline)
    .map(({ host }) => ({ kind: 'wrong', words: `${host} was given up before the deadline, as in use` }));
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
export function sentOverBudget({ actions, mayFail, mayHang, resumedAt }: RolloutSeen): number[] {
  const forward = actions.filter(({ role }) => role === 'forward');
  const exceededBy = (outcomes: readonly (OutcomeWord | null)[], limit: number): number =>
    forward
      .filter(({ outcome }) => outcomes.includes(outcome))
      .flatMap(({ endedAt }) => endedAt ?? [])
      .sort((one, other) => one - other)[limit] ?? Infinity;
  const exceededAt = Math.min(exceededBy(['failed', 'interrupted'], mayFail), exceededBy(['stuck'], mayHang));
  return forward
    .flatMap(({ dispatchedAt }) => dispatchedAt ?? [])
    .filter((at) => at > exceededAt && (resumedAt === null || at < resumedAt))
    .map((at) => at - exceededAt);
}
