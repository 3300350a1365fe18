import { median } from '../../scripts/lib/measured.ts';
import { type Figure, figure } from '../figures.ts';

/** One question to all hosts. */
export interface PeerRun {
  readonly answers: number;
  readonly wallMs: number;
  /** Of the client. */
  readonly cpuMs: number;
  /** Of who was asked: the hosts' sshd, or our server. Undefined where it cannot be told. */
  readonly askedCpuMs: number | undefined;
}

/** Runs that not every host answered are not counted, and said. */
export function peerFigures(name: string, hosts: number, runs: readonly PeerRun[], asked: string): Figure[] {
  const whole = runs.filter(({ answers }) => answers === hosts);
  const fewest = Math.min(...runs.map(({ answers }) => answers));
  const short = figure(
    `${name}: runs without all ${hosts} answers`,
    runs.length - whole.length,
    'runs',
    0,
    `of ${runs.length}${whole.length === runs.length ? '' : `; the fewest answers were ${fewest}; not counted`}`,
  );
  if (whole.length === 0) return [short];
  const wall = whole.map(({ wallMs }) => wallMs / 1_000);
  const note = `${whole.length} runs, each with ${hosts} answers`;
  return [
    figure(`${name}: last answer, median`, median(wall), 's', null, note),
    figure(`${name}: last answer, worst`, Math.max(...wall), 's', null, ''),
    figure(
      `${name}: client CPU, median`,
      median(whole.map(({ cpuMs }) => cpuMs / 1_000)),
      's',
      null,
      besides(whole, asked),
    ),
    short,
  ];
}

/** A peer that could not be run. */
export function unmeasuredFigure(name: string, hosts: number, runs: number, why: string): Figure {
  return figure(`${name}: runs without all ${hosts} answers`, runs, 'runs', 0, why);
}

function besides(runs: readonly PeerRun[], asked: string): string {
  const known = runs.flatMap(({ askedCpuMs }) => askedCpuMs ?? []);
  return known.length === 0 ? '' : `beside it ${asked} ${(median(known) / 1_000).toFixed(2)} s`;
}
