import { count } from '../../output/words.ts';
import { sampleText } from '../plan/plan-words.ts';
import { budgetReasons, freezeSentence, messageSentence, rolloutHeadline, soFar } from './headline.ts';
import { nextCommands } from './next.ts';
import { waveName, waveState } from './rollout.page.ts';
import { type AnyRollout, freezeOf, needsPerson, tally } from './tally.ts';
import type { Io } from '../../io.ts';

/** Progress is told so often in a rollout, so that thousands of hosts do not make thousands of lines. */
const PARTS = 10;

/**
 * What is new since what was told last, in lines for a log: that it began, was paused and why, which wave, what failed for the first time or on more hosts, how
 * far it has come.
 */
export function changeLines(
  rollout: AnyRollout,
  told: AnyRollout | undefined,
  io: Pick<Io, 'now' | 'timeZone'>,
): string[] {
  const isNew = told === undefined || told.state !== rollout.state;
  return [
    ...(isNew ? [`${rolloutHeadline(rollout)}. ${messageSentence(rollout)}`.trimEnd()] : []),
    ...(rollout.state === 'paused'
      ? fresh(budgetReasons(rollout), isNew || told === undefined ? [] : budgetReasons(told))
      : []),
    ...freezeChange(rollout, told),
    ...waveChanges(rollout, told, io),
    ...failureChanges(rollout, told),
    ...(isNew || !hasMovedOn(rollout, told) ? [] : [soFar(rollout)]),
    ...(isNew && needsPerson(rollout) ? nextCommands(rollout).map(([what, command]) => `  ${what}: ${command}`) : []),
  ];
}

/** Nothing of a rollout that runs is sent while the fleet is frozen: who follows it would wait for what does not come. */
function freezeChange(rollout: AnyRollout, told: AnyRollout | undefined): string[] {
  const [now, before] = [freezeOf(rollout), told === undefined ? null : freezeOf(told)];
  if (now?.at === before?.at) return [];
  return [now === null ? 'the fleet is thawed: it goes on' : freezeSentence(now)];
}

function fresh(now: readonly string[], before: readonly string[]): string[] {
  return now.filter((text) => !before.includes(text));
}

function waveChanges(rollout: AnyRollout, told: AnyRollout | undefined, io: Pick<Io, 'now' | 'timeZone'>): string[] {
  return rollout.waves.flatMap((wave) => {
    const before = told?.waves.find((each) => each.wave === wave.wave);
    if (wave.state === 'pending' || wave.state === 'not_run' || before?.state === wave.state) return [];
    const { total, asAsked } = tally(wave.counts);
    const how = wave.state === 'running' ? count(total, 'host') : `${asAsked} of ${count(total, 'host')} as asked`;
    return [`wave ${waveName(wave)} of ${rollout.waves.length - 1} ${waveState(wave, io)}: ${how}`];
  });
}

function failureChanges(rollout: AnyRollout, told: AnyRollout | undefined): string[] {
  const was = new Map(told?.failures.map(({ kind, code, hosts }) => [`${kind} ${code}`, hosts]));
  return rollout.failures.flatMap(({ kind, code, message, hosts, sample }) => {
    const before = was.get(`${kind} ${code}`) ?? 0;
    // At the first host, and then each time that there are twice as many.
    if (hosts <= before || (before > 0 && Math.floor(Math.log2(hosts)) === Math.floor(Math.log2(before)))) return [];
    const cause = code === '' || code === kind ? kind : `${kind} (${code})`;
    return [`${cause} on ${count(hosts, 'host')}: ${message} (${sampleText(sample, hosts)})`];
  });
}

/** Another tenth of the hosts has ended, or been put back. */
function hasMovedOn(rollout: AnyRollout, told: AnyRollout | undefined): boolean {
  const part = (one: AnyRollout) => Math.floor((PARTS * tally(one.counts).ended) / Math.max(1, one.counts.total));
  const back = (one: AnyRollout) =>
    one.rollback === null
      ? 0
      : Math.floor((PARTS * (one.rollback.total - one.rollback.pending)) / Math.max(1, one.rollback.total));
  return told !== undefined && (part(rollout) !== part(told) || back(rollout) !== back(told));
}
