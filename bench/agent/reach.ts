import { type Figure, figure } from '../figures.ts';
import { type Weight, type Wire, total } from './weight.ts';

/** The most that our agent may cost (issue "A safe hand", 5). */
export const REACH = {
  rssMib: 64,
  anonymousMib: 24,
  cpuPercent: 0.1,
  wireKbHour: 25,
  reconnectKb: 15,
  availableKb: 300,
  startS: 2,
} as const;

/** How long an idle agent is watched, ms. */
export interface IdleOptions {
  readonly idleMs: number;
}

/**
 * One agent at rest. `cpuShare` is of one core; `wire` over `spanMs`. `slowdown`: how many times more CPU time its host needs than the machine
 * (emulation-factor.ts); 1 without emulation.
 */
export interface Idle {
  readonly weight: Weight;
  readonly cpuShare: number;
  readonly wire: Wire | undefined;
  readonly spanMs: number;
  readonly slowdown: number;
  readonly isOurs: boolean;
  readonly note: string;
}

export function idleFigures(name: string, { weight, cpuShare, wire, spanMs, slowdown, isOurs, note }: Idle): Figure[] {
  const reach = (of: number): number | null => (isOurs ? of : null);
  const minutes = `over ${Math.round(spanMs / 60_000)} min`;
  const counted = `${(cpuShare * 100).toFixed(2)} % of an emulated core that needs ${slowdown.toFixed(1)} times the CPU time`;
  const figures = [
    figure(`${name}: resident at rest`, weight.rss, 'MiB', reach(REACH.rssMib), note),
    figure(`${name}: of which anonymous`, weight.anonymous, 'MiB', reach(REACH.anonymousMib), ''),
    figure(`${name}: proportional set`, weight.pss, 'MiB', null, ''),
    figure(
      `${name}: CPU at rest`,
      (cpuShare / slowdown) * 100,
      '% of a core',
      reach(REACH.cpuPercent),
      slowdown === 1 ? minutes : `${minutes}; ${counted}`,
      3,
    ),
  ];
  if (wire === undefined) return figures;
  const hourly = (total(wire) / 1000) * (3_600_000 / spanMs);
  const parts = `${minutes}, scaled; out ${wire.sent} B, in ${wire.received} B, TLS included`;
  return [...figures, figure(`${name}: wire at rest`, hourly, 'KB an hour', reach(REACH.wireKbHour), parts)];
}
