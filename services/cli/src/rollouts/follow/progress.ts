import type { RolloutWave } from '@modfleet/server/api-types';
import type { Io, Sink } from '../../io.ts';
import { clean } from '../../output/clean.ts';
import { colorsFor, type Colors } from '../../output/style.ts';
import { displayWidth, truncate, wrap } from '../../output/width.ts';
import { count } from '../../output/words.ts';
import { sampleText } from '../plan/plan-words.ts';
import { budgetReasons, freezeSentence, messageSentence, rolloutHeadline } from './headline.ts';
import { nextCommands } from './next.ts';
import { headColor, waveName, waveState } from './rollout.page.ts';
import { type AnyRollout, freezeOf, isEnded, needsPerson, otherEnds, tally } from './tally.ts';

const BAR = 20;
/** Lines of a screen are few. */
const CAUSES = 5;
const WAVES = 8;

/** Rows of a terminal that so many lines take. */
export function rowsOf(lines: readonly string[], columns: number | undefined): number {
  return lines.reduce((rows, line) => rows + Math.max(1, Math.ceil(displayWidth(line) / (columns ?? Infinity))), 0);
}

/** How a rollout stands, in lines that fit a terminal but for commands: drawn anew at each change. */
export function progressLines(rollout: AnyRollout, io: Io, sink: Sink): string[] {
  const colors = colorsFor(io, sink);
  const cut = (text: string, paint: (text: string) => string = (plain) => plain) =>
    paint(truncate(clean(text), (sink.columns ?? Infinity) - 1));
  const whole = (text: string, paint: (text: string) => string = (plain) => plain) =>
    wrap(clean(text), sink.columns).map(paint);
  const said = messageSentence(rollout);
  const freeze = freezeOf(rollout);
  const lines = [
    ...whole(`${rolloutHeadline(rollout)}.`, (text) => colors.bold(headColor(rollout, colors)(text))),
    ...(said === '' ? [] : whole(said)),
    ...(freeze === null || isEnded(rollout) ? [] : whole(`${freezeSentence(freeze)}.`, colors.yellow)),
    ...(rollout.state === 'paused'
      ? budgetReasons(rollout).flatMap((why) => whole(`Why: ${why}.`, colors.yellow))
      : []),
  ];
  const waves = shownWaves(rollout);
  const width = Math.max(...waves.map((wave) => waveName(wave).length));
  lines.push(
    ...waves.map((wave) =>
      cut(`  wave ${waveName(wave).padEnd(width)}  ${waveLine(wave, io)}`, waveColor(wave, colors)),
    ),
  );
  if (waves.length < rollout.waves.length) lines.push(`  and ${rollout.waves.length - waves.length} more waves`);
  for (const { kind, code, hosts, sample } of rollout.failures.slice(0, CAUSES))
    lines.push(
      cut(
        `  ${kind}${code === '' || code === kind ? '' : ` (${code})`}  ${count(hosts, 'host')}: ${sampleText(sample, hosts)}`,
        colors.red,
      ),
    );
  // A command that is cut cannot be typed.
  if (needsPerson(rollout))
    lines.push(...nextCommands(rollout).flatMap(([what, command]) => [cut(`  ${what}:`), `    ${clean(command)}`]));
  return lines;
}

/** The waves around the one under way. */
function shownWaves({ waves, wave }: AnyRollout): readonly RolloutWave[] {
  if (waves.length <= WAVES) return waves;
  const from = Math.min(Math.max(0, wave - 2), waves.length - WAVES);
  return waves.slice(from, from + WAVES);
}

function waveLine(wave: RolloutWave, io: Io): string {
  const { total, ended, asAsked, underWay, waiting } = tally(wave.counts);
  const full = total === 0 ? BAR : Math.floor((BAR * ended) / total);
  const rest = [
    ...otherEnds(wave.counts),
    ...(underWay > 0 ? [`${underWay} under way`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    ...(wave.counts.unhealthy > 0 ? [`${wave.counts.unhealthy} not healthy`] : []),
  ];
  const bar = `[${'#'.repeat(full)}${'.'.repeat(BAR - full)}]`;
  return `${bar} ${asAsked} of ${total} as asked${rest.length === 0 ? '' : `; ${rest.join(', ')}`}  ${waveState(wave, io)}`;
}

function waveColor(wave: RolloutWave, colors: Colors): (text: string) => string {
  const { notSo, notKnown } = tally(wave.counts);
  if (notSo > 0 || wave.counts.unhealthy > 0) return colors.red;
  if (notKnown > 0) return colors.yellow;
  return wave.state === 'pending' || wave.state === 'not_run' ? colors.dim : (text) => text;
}
