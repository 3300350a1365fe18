import { RolloutCluster } from '../../tests/e2e/support/rollout-cluster.ts';
import { killRound, type RolloutKill, SHORT_RESTS, VICTIMS } from '../../tests/e2e/support/rollout-kills.ts';
import { median } from '../../scripts/lib/measured.ts';
import { type Figure, figure } from '../figures.ts';
import type { ProofAsked } from './asked.ts';
import { counted, inWords, promises, summed, verdict } from './problems.ts';

/** Clusters side by side: half of a round is spent waiting, for a lease to end and for servers to start. */
const LANES = 2;

/** Rounds in which servers get SIGKILL at random moments of a rollout, among hosts that fail, hang, are in use, or were changed by others. */
export async function proveKilledServers({ seeds, first, hosts }: ProofAsked): Promise<Figure[]> {
  const rounds: RolloutKill[] = [];
  const began = performance.now();
  const waiting = Array.from({ length: seeds }, (_, number) => first + number).values();
  const lane = async (): Promise<void> => {
    const on = await RolloutCluster.start(hosts, SHORT_RESTS);
    try {
      for (const seed of waiting) {
        const round = await killRound(on, seed);
        rounds.push(round);
        show(round, rounds.length);
      }
    } catch (error) {
      // The rounds before it stay, and one that does not end is no round that holds.
      console.log(`a round broke off: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      await on.stop();
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return figuresOf(rounds, seeds, (performance.now() - began) / 60_000);
}

function show(one: RolloutKill, number: number): void {
  const what = `${String(number).padStart(4)}  seed ${one.seed}  ${one.victim.padEnd(8)}${one.verb.padEnd(7)}`;
  const states = `killed with ${inWords(one.atKill) || 'nothing accepted'}`;
  const refused = Object.keys(one.refused).length === 0 ? '' : ` (${inWords(one.refused)})`;
  const end = `${one.state}: ${inWords(one.ended)}${refused}`;
  console.log(
    `${what}${states.padEnd(52)}${end.padEnd(64)}${(one.tookMs / 1000).toFixed(1)} s  ${verdict(one.problems)}`,
  );
}

function figuresOf(rounds: readonly RolloutKill[], seeds: number, minutes: number): Figure[] {
  const sum = (pick: (one: RolloutKill) => number): number => rounds.reduce((total, one) => total + pick(one), 0);
  const takenOver = rounds
    .filter(({ victim }) => victim === 'watcher')
    .flatMap(({ takenOverMs }) => (takenOverMs === null ? [] : [takenOverMs / 1000]));
  const problems = rounds.flatMap((round) => round.problems);
  const wrong = rounds.filter((round) => round.problems.length > 0).map(({ seed }) => seed);
  const victims = VICTIMS.map((victim) => `${victim} ${rounds.filter((round) => round.victim === victim).length}`);
  const actions = `${sum((one) => one.actions)} actions, ${sum((one) => one.routines)} routines`;
  const ends = `${counted(rounds.map(({ state }) => state))}; hosts: ${inWords(summed(rounds.map(({ outcomes }) => outcomes)))}`;
  return [
    figure(
      'servers killed: rounds that did not hold, or were not done',
      wrong.length + seeds - rounds.length,
      '',
      0,
      `${rounds.length} of ${seeds} rounds (${victims.join(', ')}) in ${minutes.toFixed(1)} min${wrong.length === 0 ? '' : `; seeds ${wrong.join(', ')}`}`,
    ),
    ...promises('servers killed', problems, actions),
    figure('servers killed: rounds', rounds.length, '', null, `rollouts ${ends}`),
    figure(
      'servers killed: actions under way at that moment',
      sum(({ atKill }) =>
        Object.entries(atKill).reduce((all, [state, count]) => all + (state === 'ended' ? 0 : count), 0),
      ),
      '',
      null,
      inWords(summed(rounds.map(({ atKill }) => atKill))),
    ),
    figure(
      'servers killed: exit routines that hung',
      sum(({ ended }) => ended['stuck'] ?? 0),
      '',
      null,
      'called stuck; each returned after the rollout, and was resolved then',
    ),
    figure(
      'servers killed: refusals of a kmod in use',
      sum(({ refused }) => refused['in_use'] ?? 0),
      '',
      null,
      `asked again until it was let go of, or the deadline; all refusals: ${inWords(summed(rounds.map(({ refused }) => refused)))}`,
    ),
    ...(takenOver.length === 0
      ? []
      : [
          figure(
            'watcher killed: another one after, longest',
            Math.max(...takenOver),
            's',
            8,
            `median ${median(takenOver).toFixed(1)} s of ${takenOver.length}; a lease of 3 s, looked for every second`,
            1,
          ),
        ]),
  ];
}
