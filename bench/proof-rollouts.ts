import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { namespacesMissing } from '../scripts/lib/machine-needs.ts';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { type Figure, figureTable } from './figures.ts';
import type { ProofAsked } from './proof-rollouts/asked.ts';
import { proveFaults } from './proof-rollouts/faults.ts';
import { proveKilledServers } from './proof-rollouts/kills.ts';
import { provePartitions } from './proof-rollouts/partitions.ts';
import { whole } from './whole.ts';

/** The name of the result, too. */
const RESULT = 'proof-rollouts';

const PARTS = { kills: proveKilledServers, faults: proveFaults, partition: provePartitions } as const satisfies Record<
  string,
  (asked: ProofAsked) => Promise<Figure[]>
>;
type Part = keyof typeof PARTS;

/** `npm run proof -- rollouts`: the full count of what tests/e2e/local/rollouts.e2e.ts and partition.e2e.ts do a few times. */
export async function proveRollouts(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '100' },
      first: { type: 'string', default: String(randomInt(1_000_000)) },
      hosts: { type: 'string', default: '40' },
      only: { type: 'string' },
    },
  });
  const asked = {
    seeds: whole('--seeds', values.seeds),
    first: whole('--first', values.first),
    hosts: whole('--hosts', values.hosts),
  };
  const parts = values.only === undefined ? (Object.keys(PARTS) as Part[]) : values.only.split(',').map(partOf);
  const missing = parts.includes('partition') ? await namespacesMissing() : undefined;
  if (missing !== undefined) throw new ScriptError(`${missing}. --only kills,faults leaves the partitions out.`);
  const where = await measuredWhere();
  console.log(
    `seeds from ${asked.first}; the same again: npm run proof -- rollouts --first ${asked.first} --seeds ${asked.seeds} --hosts ${asked.hosts}`,
  );
  const all: Figure[] = [];
  let broke = false;
  for (const part of parts) {
    try {
      const figures = await PARTS[part](asked);
      // What was found so far stays when the rest is given up.
      keepFigures(RESULT, part, where, figures);
      all.push(...figures);
    } catch (error) {
      broke = true;
      console.log(`${part} broke off: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  console.log(`\n${figureTable(all)}\n\n${resultFile(RESULT)}`);
  return broke || all.some(({ holds }) => holds === false) ? 1 : 0;
}

function partOf(word: string): Part {
  if (!Object.hasOwn(PARTS, word))
    throw new ScriptError(`--only takes parts of ${Object.keys(PARTS).join(', ')}, not "${word}".`);
  return word as Part;
}
