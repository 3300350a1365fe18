import { readFile } from 'node:fs/promises';
import { measuredWhere, resultFile, writeResult } from '../../../scripts/lib/measured.ts';
import type { Judged } from './predict.ts';

/** One half of the oracle on one host. */
export interface OraclePart {
  /** `unload, full 6.1 networkd plain`, `load, 6.12, lockdown`. */
  readonly name: string;
  readonly judged: readonly Judged[];
}

/** As the file keeps it: every line of the table, in words, under its part. */
interface StoredPart {
  readonly machine: string;
  readonly loadAverage: number;
  readonly date: string;
  readonly commit: string;
  readonly agrees: number;
  readonly of: number;
  readonly table: readonly string[];
}

interface StoredOracle {
  readonly parts?: Readonly<Record<string, StoredPart>>;
}

/** `dummy: ok, removed dummy`; what does not agree begins with a mark. */
export function tableLine({ kmod, predicted, seen, agrees }: Judged): string {
  return `${agrees ? '' : 'DISAGREES '}${kmod}: predicted ${predicted}, seen ${seen}`;
}

/** The table of a part for a terminal: disagreements first. */
export function partText({ name, judged }: OraclePart): string {
  const agreeing = judged.filter((one) => one.agrees).length;
  const lines = [...judged].sort((a, b) => Number(a.agrees) - Number(b.agrees)).map((one) => `  ${tableLine(one)}`);
  return [`${name}: ${agreeing} of ${judged.length} agree`, ...lines].join('\n');
}

/** Keeps these parts in bench/results/oracle.json beside those measured at other times; gives the file's path. */
export async function keepParts(parts: readonly OraclePart[]): Promise<string> {
  const where = await measuredWhere();
  const text = await readFile(resultFile('oracle'), 'utf8').catch(() => '{}');
  const stored = JSON.parse(text) as StoredOracle;
  const now = parts.map(({ name, judged }): [string, StoredPart] => [
    name,
    {
      ...where,
      agrees: judged.filter((one) => one.agrees).length,
      of: judged.length,
      table: judged.map(tableLine),
    },
  ]);
  const all = Object.fromEntries(
    Object.entries({ ...stored.parts, ...Object.fromEntries(now) }).sort(([a], [b]) => a.localeCompare(b)),
  );
  const figures = Object.entries(all).map(([name, part]) => ({
    name,
    value: part.of === 0 ? 0 : Math.floor((part.agrees * 1000) / part.of) / 10,
    unit: '% of predictions that agree',
    reach: 100,
    holds: part.of > 0 && part.agrees === part.of,
    note: `${part.agrees} of ${part.of}`,
    date: part.date,
    commit: part.commit,
  }));
  return writeResult('oracle', { ...where, figures, parts: all });
}
