import { setTimeout as delay } from 'node:timers/promises';
import type { LabHost } from '../../lab/src/lab.ts';
import { type Figure, figure } from '../figures.ts';
import { OTHERS, OURS } from './reach.ts';
import { ServiceOnHost, uptimeMs } from './service-on-host.ts';

/**
 * What each agent of a host that counts instructions executes at rest; `ours` a second. Most of ours is one look at all facets a minute, so of three
 * minutes one look more or less is a third.
 */
export async function countIdle(host: LabHost, idleMs: number): Promise<{ ours: number; figures: Figure[] }> {
  const services = [OURS, ...Object.values(OTHERS)].map((unit) => new ServiceOnHost(host, unit));
  const look = () => Promise.all([uptimeMs(host), ...services.map((one) => one.instructions())]);
  const [beganMs, ...before] = await look();
  await delay(idleMs);
  const [endedMs, ...after] = await look();
  const seconds = (endedMs - beganMs) / 1000;
  const rates = after.map((count, index) => (count - (before[index] ?? 0)) / seconds);
  const note = `over ${Math.round(seconds / 60)} min, counted`;
  const figures = rates.map((rate, index) =>
    figure(
      `${index === 0 ? 'agent' : services[index]?.unit.replace('.service', '')}: instructions at rest`,
      rate / 1e6,
      'million a second',
      null,
      note,
    ),
  );
  return { ours: rates[0] ?? 0, figures };
}
