import { setTimeout as delay } from 'node:timers/promises';
import type { ToldChange } from '../swarm/worker-words.ts';
import { type Figure, figure } from '../figures.ts';
import { delayFigures } from './delay-figures.ts';
import type { MeasuredFleet } from './measured-fleet.ts';

const BACK_SECONDS = 60;
const PATIENCE_SECONDS = 600;
/** While the server is away. */
const CHANGES_PER_SECOND = 50;
const AWAY_MS = 5_000;
const STORMS = 10;
const SETTLE_MS = 5_000;
/** The first storms fill what is kept for reuse (sockets, buffers, pages of the heap); from then on nothing may be added. */
const FIRST_STORMS = 3;
/** Of the memory; noise of an allocator that keeps what it was given. */
const FLAT_PERCENT = 5;

/** SIGKILL of the server while its hosts go on changing, and a new start. */
export async function measureRestart(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, swarm, hosts } = fleet;
  const changed = new Map<string, ToldChange>();
  swarm.onChange((change) => changed.set(`${change.host} ${change.kmod}`, change));
  await server.fleet.stopServer('SIGKILL');
  fleet.changes(CHANGES_PER_SECOND, 1);
  await delay(AWAY_MS);
  fleet.changes(0);
  await delay(AWAY_MS / 5);
  const { welcomes } = swarm.counts();
  const began = performance.now();
  await server.fleet.startServer();
  const ready = (performance.now() - began) / 1_000;
  const { delays } = await server.watched(() =>
    fleet.until('all are back', PATIENCE_SECONDS, (now) => now.live === hosts && now.welcomes >= welcomes + hosts),
  );
  const took = (performance.now() - began) / 1_000;
  await delay(SETTLE_MS);
  let lost = 0;
  for (const { host, kmod, isLoaded } of changed.values()) {
    const page = await server.fleet.api('GET', `/api/v1/hosts/${host}/kmods?presence=loaded&name=${kmod}`);
    if ((page.body['items'] as readonly unknown[]).length > 0 !== isLoaded) lost += 1;
  }
  return [
    figure(
      `server killed and started: ${hosts} hosts live again`,
      took,
      's',
      BACK_SECONDS,
      `from the new start, ${ready.toFixed(1)} s of it until it was ready`,
      1,
    ),
    figure('changes made meanwhile that are not in the answer', lost, '', 0, `of ${changed.size}`, 0),
    ...delayFigures('return of all', delays),
  ];
}

/** All connections break at once, again and again. */
export async function measureStorms(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, swarm, hosts } = fleet;
  const resident: number[] = [];
  const took: number[] = [];
  const { delays } = await server.watched(async () => {
    for (let storm = 0; storm < STORMS; storm += 1) {
      const { welcomes } = swarm.counts();
      swarm.storm();
      took.push(
        await fleet.until('all are back', PATIENCE_SECONDS, (now) => {
          return now.live === hosts && now.welcomes >= welcomes + hosts;
        }),
      );
      await delay(SETTLE_MS);
      const { rss } = await server.memory();
      resident.push(rss / 2 ** 20);
    }
  });
  const settled = resident[FIRST_STORMS - 1] ?? 0;
  const last = resident.at(-1) ?? 0;
  return [
    figure(
      `memory after storm ${STORMS}, beside storm ${FIRST_STORMS}`,
      (last / settled - 1) * 100,
      '%',
      FLAT_PERCENT,
      `MiB after each: ${resident.map(Math.round).join(' ')}`,
      1,
    ),
    figure('a storm until all are live again: longest', Math.max(...took), 's', BACK_SECONDS, '', 1),
    // Collecting the garbage stops the loop, and is the measurement's own doing: only the p99 says something of the server.
    ...delayFigures('storms', delays).slice(0, 1),
  ];
}
