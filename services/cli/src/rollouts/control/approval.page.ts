import type { Rollout, RolloutPlan, RolloutWave } from '@modfleet/server/api-types';
import type { Io } from '../../io.ts';
import { renderFields } from '../../output/page.ts';
import { colorsFor } from '../../output/style.ts';
import { clock, exactClock } from '../../output/time.ts';
import { wideFor, type Wide } from '../../output/wide.ts';
import { count } from '../../output/words.ts';
import { optionLines } from '../follow/options-words.ts';
import { waveName } from '../follow/rollout.page.ts';
import { planBodyLines } from '../plan/plan.page.ts';
import { hostsText, planHeadline } from '../plan/plan-words.ts';

/** What is approved: what would be done, on which hosts, in which waves, how much may fail, who asked for it. Written to stderr, beside the question. */
export function renderApproval(rollout: Rollout, plan: RolloutPlan, io: Io): string {
  const colors = colorsFor(io, io.err);
  const wide = wideFor(io.err);
  const now = io.now();
  return [
    ...wide(planHeadline(plan)).map((line) => colors.bold(line)),
    '\n',
    renderFields([
      ['rollout', rollout.id],
      ['plan', plan.id],
      ['hosts', hostsText(rollout.selector)],
      [
        'asked',
        `${clock(rollout.createdAt, now, io.timeZone)} by ${rollout.requestedBy}${rollout.reason === null ? '' : `: ${rollout.reason}`}`,
      ],
      ['confirm within', rollout.confirmWindow === null ? null : `${rollout.confirmWindow} s`],
      ['deadline', exactClock(rollout.deadlineAt, now, io.timeZone)],
      ...optionLines(rollout.options),
      ['hash', rollout.hash],
    ]),
    ...planBodyLines(plan, io, io.err),
    '\nWaves:\n',
    ...waveLines(rollout.waves, wide),
    '\n',
  ].join('');
}

function waveLines(waves: readonly RolloutWave[], wide: Wide): string[] {
  let reached = 0;
  return waves.flatMap((wave) => {
    reached += wave.counts.total;
    const all = reached === wave.counts.total ? '' : `, ${reached} in all`;
    return wide(`  ${waveName(wave)}: ${count(wave.counts.total, 'host')}${all}`, '    ');
  });
}
