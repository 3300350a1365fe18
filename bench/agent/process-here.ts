import { readFileSync, readdirSync } from 'node:fs';
import { type Weight, weightOf } from './weight.ts';

/** A process of this machine and all that it started. */
export function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(family)];
}

/** CPU time of a process, its threads, and its living children, ms. */
export function cpuMs(pid: number): number {
  return family(pid)
    .flatMap((one) => readdirSync(`/proc/${one}/task`).map((task) => `/proc/${one}/task/${task}/schedstat`))
    .reduce((sum, file) => sum + Number(readFileSync(file, 'utf8').split(' ')[0]) / 1e6, 0);
}

/** What a process and its living children weigh. */
export function weightHere(pid: number): Weight {
  return weightOf(
    family(pid)
      .map((one) => readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))
      .join(''),
  );
}
