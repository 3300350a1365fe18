import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { keepFigures, type MeasuredWhere, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { type Figure, figureTable } from './figures.ts';
import { measureRestart, measureStorms } from './fleet/breaks.ts';
import { measureChanges } from './fleet/changes.ts';
import { measureEnrolment } from './fleet/enrol.ts';
import { MeasuredFleet } from './fleet/measured-fleet.ts';
import { measureLiveQuestions, measurePages } from './fleet/questions.ts';
import { whole } from './whole.ts';

const RESULT = 'fleet';
const SEED = 5;
const GROWTH = [1_000, 2_500, 5_000, 10_000, 15_000] as const;

/** In this order, on one fleet: each rests on the ones before. */
const PARTS = {
  enrol: { title: 'all hosts join; memory and processor at rest', measure: measureEnrolment },
  live: { title: 'questions asked of every host', measure: measureLiveQuestions },
  pages: { title: 'pages while kmods change', measure: measurePages },
  changes: { title: 'as many changes as come', measure: measureChanges },
  restart: { title: 'the server is killed and started', measure: measureRestart },
  storms: { title: 'ten storms of reconnects', measure: measureStorms },
} as const satisfies Record<string, { title: string; measure: (fleet: MeasuredFleet) => Promise<Figure[]> }>;
type Part = keyof typeof PARTS;
/** What is measured at each size of a fleet that grows. */
const GROWTH_PARTS: readonly Part[] = ['enrol', 'live', 'pages', 'restart'];

/** `npm run bench -- fleet`: server, PostgreSQL and all the hosts on this machine. Status 1 when a figure falls short. */
export async function benchFleet(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hosts: { type: 'string', default: '10000' },
      only: { type: 'string' },
      growth: { type: 'boolean', default: false },
    },
  });
  const parts =
    values.only === undefined ? (Object.keys(PARTS) as Part[]) : ['enrol', ...values.only.split(',').map(partOf)];
  const where = await measuredWhere();
  const sizes = values.growth ? GROWTH : [whole('--hosts', values.hosts)];
  const all: Figure[] = [];
  for (const hosts of sizes)
    all.push(...(await measureSize(hosts, values.growth ? GROWTH_PARTS : (parts as readonly Part[]), where)));
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(all)}\n`);
  console.log(resultFile(RESULT));
  return all.some(({ holds }) => holds === false) ? 1 : 0;
}

async function measureSize(hosts: number, parts: readonly Part[], where: MeasuredWhere): Promise<Figure[]> {
  const processes = availableParallelism();
  const fleet = await withProgress(`${hosts} simulated hosts come up`, () =>
    MeasuredFleet.start(hosts, processes, SEED),
  );
  const figures: Figure[] = [];
  try {
    for (const part of new Set(parts)) {
      const measured = await withProgress(`${hosts} hosts: ${PARTS[part].title}`, () => PARTS[part].measure(fleet));
      console.log(figureTable(measured));
      figures.push(...measured);
      keepFigures(RESULT, `${hosts} ${part}`, where, measured);
    }
  } finally {
    await fleet.stop();
  }
  return figures;
}

function partOf(word: string): Part {
  if (!Object.hasOwn(PARTS, word))
    throw new ScriptError(`--only takes parts of ${Object.keys(PARTS).join(', ')}, not "${word}".`);
  return word as Part;
}
