import { setTimeout as delay } from 'node:timers/promises';
import type { ToldChange } from '../swarm/worker-words.ts';
import { type Figure, figure } from '../figures.ts';
import { quantile } from '../quantile.ts';
import { delayFigures } from './delay-figures.ts';
import type { MeasuredFleet } from './measured-fleet.ts';

/** Offered; what the hosts really did is counted. */
const OFFERED_PER_SECOND = 2_200;
const WANTED_PER_SECOND = 2_000;
const SECONDS = 30;
/** So many a second are looked for in the answer. */
const LOOKED_FOR_PER_SECOND = 5;
const VISIBLE_MS = 1_000;
const LOOK_MS = 25;
const GIVEN_UP_MS = 20_000;

/** As many changes as the fleet can make, and how soon a sample of them is in the answer. */
export async function measureChanges(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, swarm } = fleet;
  const looks: Promise<number>[] = [];
  swarm.onChange((change) => looks.push(visibleAfter(fleet, change)));
  const before = swarm.counts().changes;
  let rate = 0;
  const { result, delays, cpuPercent } = await server.watched(async () => {
    fleet.changes(OFFERED_PER_SECOND, Math.round(OFFERED_PER_SECOND / LOOKED_FOR_PER_SECOND));
    const began = performance.now();
    await delay(SECONDS * 1_000);
    rate = (swarm.counts().changes - before) / ((performance.now() - began) / 1_000);
    fleet.changes(0);
    return await Promise.all(looks);
  });
  const rateFigure = figure(
    'changes a second that came in',
    rate,
    '/s',
    null,
    `${SECONDS} s; server ${Math.round(cpuPercent)} % of a core`,
    0,
  );
  const note = `${result.length} changes looked for`;
  return [
    { ...rateFigure, reach: WANTED_PER_SECOND, holds: rateFigure.value >= WANTED_PER_SECOND },
    figure('change until it is in the answer: p99', quantile(result, 0.99), 'ms', VISIBLE_MS, note, 0),
    figure('change until it is in the answer: p50', quantile(result, 0.5), 'ms', null, '', 0),
    ...delayFigures('changes', delays),
  ];
}

/** ms until the API's answer has it. */
async function visibleAfter({ server }: MeasuredFleet, { host, kmod, isLoaded }: ToldChange): Promise<number> {
  const began = performance.now();
  for (;;) {
    const page = await server.fleet.api('GET', `/api/v1/hosts/${host}/kmods?presence=loaded&name=${kmod}`);
    const took = performance.now() - began;
    // A server that says "not now" has not answered yet.
    const items = page.status === 200 ? (page.body['items'] as readonly unknown[]) : undefined;
    if ((items !== undefined && items.length > 0 === isLoaded) || took > GIVEN_UP_MS) return took;
    await delay(LOOK_MS);
  }
}
