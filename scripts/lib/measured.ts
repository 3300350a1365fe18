import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { repository } from './paths.ts';
import { runProgram } from './program.ts';

/** Where something was measured: a figure without it says nothing. */
export interface MeasuredWhere {
  readonly machine: string;
  /** Others' work on the machine as it began; near 0 is quiet. */
  readonly loadAverage: number;
  readonly date: string;
  /** With `+` at the end when tracked files differed from it. */
  readonly commit: string;
}

/** This machine and this tree, now. */
export async function measuredWhere(): Promise<MeasuredWhere> {
  const processors = cpus();
  const memoryGb = Math.round(totalmem() / 2 ** 30);
  const commit = await runProgram('git', ['rev-parse', '--short=12', 'HEAD']);
  const changed = await runProgram('git', ['status', '--porcelain', '--untracked-files=no']);
  return {
    machine: `${processors[0]?.model.trim() ?? 'unknown CPU'}, ${processors.length} cores, ${memoryGb} GB, lab hosts emulated unless KVM is there`,
    loadAverage: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    date: new Date().toISOString(),
    commit: commit.status === 0 ? `${commit.output.trim()}${changed.output.trim() === '' ? '' : '+'}` : 'unknown',
  };
}

/** bench/results/NAME.json */
export function resultFile(name: string): string {
  return join(repository, 'bench/results', `${name}.json`);
}

/** Writes bench/results/NAME.json and gives its path. */
export function writeResult(name: string, result: object): string {
  const file = resultFile(name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  return file;
}

/**
 * Puts the figures of a part of a benchmark in the place of its former ones in bench/results/NAME.json; each says when and on which commit it was
 * measured, because parts may be measured apart. What another machine measured goes.
 */
export function keepFigures(
  name: string,
  part: string,
  { machine, ...where }: MeasuredWhere,
  measured: readonly object[],
): void {
  const file = resultFile(name);
  const former = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as { machine: string; figures: { part: string }[] })
    : { machine, figures: [] };
  const others = former.machine === machine ? former.figures.filter((one) => one.part !== part) : [];
  const figures = [...others, ...measured.map((one) => ({ ...one, part, ...where }))];
  writeResult(name, { machine, date: where.date, commit: where.commit, figures });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('no median of nothing');
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
