import { parseArgs } from 'node:util';
import { checkPrerequisites } from '../lab/src/lab.ts';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { measureNatively } from './agent/natively.ts';
import { measureOnLabHost } from './agent/on-lab-host.ts';
import type { IdleOptions } from './agent/reach.ts';
import { type Figure, figureTable } from './figures.ts';

const RESULT = 'agent';

/** Each alone on the machine, one after the other. */
const PARTS = {
  lab: {
    title: 'on a full lab host (6.12, emulated unless KVM is there), beside other agents',
    measure: measureOnLabHost,
  },
  native: { title: 'on this machine itself, in mode observe', measure: measureNatively },
} as const satisfies Record<string, { title: string; measure: (options: IdleOptions) => Promise<Figure[]> }>;
type Part = keyof typeof PARTS;

/** `npm run bench -- agent`: what the agent costs a host. Status 1 when a figure falls short. */
export async function benchAgent(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { only: { type: 'string' }, minutes: { type: 'string', default: '10' } },
  });
  const parts = values.only === undefined ? (Object.keys(PARTS) as Part[]) : values.only.split(',').map(partOf);
  const minutes = Number(values.minutes);
  if (!(minutes >= 1 && minutes <= 600)) throw new ScriptError(`--minutes takes 1 to 600, not "${values.minutes}".`);
  if (parts.includes('lab')) {
    const needs = await checkPrerequisites(['full']);
    if (!needs.ok) throw new ScriptError(needs.hint);
  }
  const where = await measuredWhere();
  const figures: Figure[] = [];
  for (const part of parts) {
    const { title, measure } = PARTS[part];
    const measured = await withProgress(`${title} (${minutes} idle minutes and some more)`, () =>
      measure({ idleMs: minutes * 60_000 }),
    );
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
