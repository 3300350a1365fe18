import { setTimeout as delay } from 'node:timers/promises';
import { type Figure, figure } from '../figures.ts';
import { delayFigures } from './delay-figures.ts';
import type { MeasuredFleet } from './measured-fleet.ts';

const ENROL_SECONDS = 120;
/** Longest that is waited for. */
const PATIENCE_SECONDS = 900;
/** What comes after the first Welcome (sets that the server lacks) is over by then. */
const SETTLE_MS = 15_000;
const IDLE_MS = 60_000;

/** All hosts join, with a key each; then what they weigh while nothing happens. */
export async function measureEnrolment(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, swarm, hosts } = fleet;
  // What a start leaves behind is not the hosts'.
  await delay(SETTLE_MS);
  const before = await server.memory();
  const enrolled = await server.watched(() => {
    swarm.join();
    return fleet.allLive(PATIENCE_SECONDS);
  });
  await delay(SETTLE_MS);
  const after = await server.memory();
  const idle = await server.watched(() => delay(IDLE_MS));
  const perHost = (pick: (usage: NodeJS.MemoryUsage) => number): number => (pick(after) - pick(before)) / 1_000 / hosts;
  const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  const { joinFailures, trouble } = swarm.counts();
  return [
    figure(
      `enrol ${hosts} hosts, all live`,
      enrolled.result,
      's',
      ENROL_SECONDS,
      `${Math.round(hosts / enrolled.result)} a second; ${joinFailures} joins tried again${trouble.length === 0 ? '' : ` (${trouble.join('; ')})`}`,
      1,
    ),
    figure('server CPU to enrol and welcome a host', enrolled.cpuMs / hosts, 'ms', null, 'PostgreSQL not in it'),
    ...delayFigures('enrolment', enrolled.delays),
    figure(
      'server memory per live host',
      perHost(({ rss }) => rss),
      'KB',
      120,
      `resident: ${mib(before.rss)} without hosts, ${mib(after.rss)} with ${hosts}`,
      1,
    ),
    figure(
      'of it on the heap and in buffers',
      perHost(({ heapUsed, external }) => heapUsed + external),
      'KB',
      null,
      `heap ${mib(after.heapUsed)}, external ${mib(after.external)}`,
      1,
    ),
    figure('idle server: share of a core', idle.cpuPercent, '%', 15, `over ${IDLE_MS / 1_000} s`, 1),
    ...delayFigures('idle', idle.delays),
  ];
}
