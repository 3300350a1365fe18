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

/** Our agent's unit on a host. */
export const OURS = 'modfleet-agent.service';

/** A full Debian 12 with the agents that others keep on their hosts; puppet is Ruby, Zabbix's second agent is Go. */
export const OTHERS = { 'puppet-agent': 'puppet.service', 'zabbix-agent2': 'zabbix-agent2.service' } as const;

/** How long an idle agent is watched, ms. */
export interface IdleOptions {
  readonly idleMs: number;
}

/** One agent at rest; `wire` over `spanMs`. */
export interface Idle {
  readonly weight: Weight;
  readonly wire: Wire | undefined;
  readonly spanMs: number;
  readonly isOurs: boolean;
  readonly note: string;
}

export function idleFigures(name: string, { weight, wire, spanMs, isOurs, note }: Idle): Figure[] {
  const reach = (of: number): number | null => (isOurs ? of : null);
  const figures = [
    figure(`${name}: resident at rest`, weight.rss, 'MiB', reach(REACH.rssMib), note),
    figure(`${name}: of which anonymous`, weight.anonymous, 'MiB', reach(REACH.anonymousMib), ''),
    figure(`${name}: proportional set`, weight.pss, 'MiB', null, ''),
  ];
  if (wire === undefined) return figures;
  const hourly = (total(wire) / 1000) * (3_600_000 / spanMs);
  const parts = `over ${Math.round(spanMs / 60_000)} min, scaled; out ${wire.sent} B, in ${wire.received} B, TLS included`;
  return [...figures, figure(`${name}: wire at rest`, hourly, 'KB an hour', reach(REACH.wireKbHour), parts)];
}

/** CPU of our agent on a real core. */
export function cpuFigure(name: string, share: number, note: string): Figure {
  return figure(name, share * 100, '% of a core', REACH.cpuPercent, note, 3);
}
