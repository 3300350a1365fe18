import { parseArgs } from 'node:util';
import { checkPrerequisites } from '../lab/src/lab.ts';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { type Figure, figureTable } from './figures.ts';
import { measureBoots } from './first-light/boots.ts';
import { measureFleet } from './first-light/fleet.ts';
import { measureStarts } from './first-light/starts.ts';

const RESULT = 'first-light';

/** Each alone on the machine, one after the other. */
const PARTS = {
  start: { title: 'npm start, first and again, in a fresh clone', measure: measureStarts },
  boot: { title: 'lab hosts booting to their first command', measure: measureBoots },
  fleet: { title: 'changes, freeze and memory on two lab hosts', measure: measureFleet },
} as const satisfies Record<string, { title: string; measure: () => Promise<Figure[]> }>;
type Part = keyof typeof PARTS;

/** `npm run bench -- first-light`: the figures that the first release promises. Status 1 when one falls short. */
export async function benchFirstLight(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { only: { type: 'string' } } });
  const parts = values.only === undefined ? (Object.keys(PARTS) as Part[]) : values.only.split(',').map(partOf);
  const needs = await checkPrerequisites(['fast', 'full']);
  if (!needs.ok && parts.some((part) => part !== 'start')) throw new ScriptError(needs.hint);
  const where = await measuredWhere();
  const figures: Figure[] = [];
  for (const part of parts) {
    const measured = await withProgress(PARTS[part].title, () => PARTS[part].measure());
    figures.push(...measured);
    keepFigures(RESULT, part, where, measured);
  }
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(figures)}\n`);
  console.log(resultFile(RESULT));
  return figures.some(({ holds }) => holds === false) ? 1 : 0;
}

function partOf(word: string): Part {
  if (!Object.hasOwn(PARTS, word))
    throw new ScriptError(`--only takes parts of ${Object.keys(PARTS).join(', ')}, not "${word}".`);
  return word as Part;
}
