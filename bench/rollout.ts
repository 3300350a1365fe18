import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { type Figure, figureTable } from './figures.ts';
import { MeasuredFleet } from './fleet/measured-fleet.ts';
import { measureBudget } from './rollout/budget.ts';
import { measureNoop } from './rollout/noop.ts';
import { measurePlan } from './rollout/plan.ts';
import { RolloutApi } from './rollout/rollout-api.ts';
import { measureStop } from './rollout/stop.ts';
import { whole } from './whole.ts';

const RESULT = 'rollout';
const SEED = 7;
/** Longest that is waited for the hosts to join. */
const PATIENCE_SECONDS = 900;

/** In this order, on one fleet. */
const PARTS = {
  plan: { title: 'a plan: a dry run at every host', measure: measurePlan },
  noop: { title: 'one wave, nothing to do, no limit of concurrency', measure: measureNoop },
  stop: { title: 'paused and frozen in the middle', measure: measureStop },
  budget: { title: 'five waves, 1 % failures, a budget of 0.5 %', measure: measureBudget },
} as const satisfies Record<string, { title: string; measure: (api: RolloutApi) => Promise<Figure[]> }>;
type Part = keyof typeof PARTS;

/** `npm run bench -- rollout`: server, PostgreSQL and all the hosts on this machine. Status 1 when a figure falls short. */
export async function benchRollout(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hosts: { type: 'string', default: '10000' },
      only: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const hosts = whole('--hosts', values.hosts);
  const parts = values.only === undefined ? (Object.keys(PARTS) as Part[]) : values.only.split(',').map(partOf);
  const where = await measuredWhere();
  const fleet = await withProgress(`${hosts} simulated hosts come up`, () =>
    MeasuredFleet.start(hosts, availableParallelism(), SEED),
  );
  const all: Figure[] = [];
  try {
    await withProgress(`${hosts} hosts join`, async () => {
      fleet.swarm.join();
      await fleet.allLive(PATIENCE_SECONDS);
      await fleet.calm();
    });
    const api = await RolloutApi.open(fleet);
    try {
      for (const part of parts) {
        const measured = await withProgress(`${hosts} hosts: ${PARTS[part].title}`, () => PARTS[part].measure(api));
        console.log(figureTable(measured));
        all.push(...measured);
        if (!values['dry-run']) keepFigures(RESULT, `${hosts} ${part}`, where, measured);
        await fleet.calm();
      }
    } finally {
      await api.close();
    }
  } finally {
    await fleet.stop();
  }
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(all)}\n`);
  if (!values['dry-run']) console.log(resultFile(RESULT));
  return all.some(({ holds }) => holds === false) ? 1 : 0;
}

function partOf(word: string): Part {
  if (!Object.hasOwn(PARTS, word))
    throw new ScriptError(`--only takes parts of ${Object.keys(PARTS).join(', ')}, not "${word}".`);
  return word as Part;
}
