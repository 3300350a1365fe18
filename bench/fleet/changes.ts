import { setTimeout as delay } from 'node:timers/promises';
import type { ToldChange } from '../swarm/worker-words.ts';
import { type Figure, figure } from '../figures.ts';
import { quantile } from '../quantile.ts';
import { delayFigures } from './delay-figures.ts';
import type { MeasuredFleet } from './measured-fleet.ts';

/** Offered, one after the other, until the answers come too late; what the hosts really did is counted. */
const OFFERED_PER_SECOND = [150, 300, 600, 1_200, 2_200] as const;
const WANTED_PER_SECOND = 2_000;
const SECONDS = 15;
/** So many a second are looked for in the answer. */
const LOOKED_FOR_PER_SECOND = 10;
const VISIBLE_MS = 1_000;
const LOOK_MS = 25;
const GIVEN_UP_MS = 20_000;

interface Step {
  readonly rate: number;
  /** ms until each of a sample was in the answer. */
  readonly visibleMs: readonly number[];
}

/** How many changes a second the server takes so that each is soon in the answer. */
export async function measureChanges(fleet: MeasuredFleet): Promise<Figure[]> {
  const borne: Step[] = [];
  const { result, delays, cpuPercent } = await fleet.server.watched(async () => {
    for (const offered of OFFERED_PER_SECOND) {
      const step = await offer(fleet, offered);
      await fleet.calm();
      if (quantile(step.visibleMs, 0.99) > VISIBLE_MS) return step;
      borne.push(step);
    }
    return undefined;
  });
  const best = borne.at(-1);
  const rate = figure(
    'changes a second, each in the answer within 1 s',
    best?.rate ?? 0,
    '/s',
    null,
    `offered ${OFFERED_PER_SECOND.join(', ')} for ${SECONDS} s each${result === undefined ? '' : `; of ${Math.round(result.rate)} a second p99 was ${Math.round(quantile(result.visibleMs, 0.99))} ms`}; server ${Math.round(cpuPercent)} % of a core in all`,
    0,
  );
  const visible = (best ?? result)?.visibleMs ?? [];
  return [
    { ...rate, reach: WANTED_PER_SECOND, holds: rate.value >= WANTED_PER_SECOND },
    figure(
      'change until it is in the answer: p99',
      quantile(visible, 0.99),
      'ms',
      VISIBLE_MS,
      `${visible.length} changes looked for, at that rate`,
      0,
    ),
    figure('change until it is in the answer: p50', quantile(visible, 0.5), 'ms', null, '', 0),
    ...delayFigures('changes', delays),
  ];
}

async function offer(fleet: MeasuredFleet, perSecond: number): Promise<Step> {
  const { swarm } = fleet;
  const looks: Promise<number>[] = [];
  swarm.onChange((change) => looks.push(visibleAfter(fleet, change)));
  const before = swarm.counts().changes;
  const began = performance.now();
  fleet.changes(perSecond, Math.round(perSecond / LOOKED_FOR_PER_SECOND));
  await delay(SECONDS * 1_000);
  const rate = (swarm.counts().changes - before) / ((performance.now() - began) / 1_000);
  fleet.changes(0);
  return { rate, visibleMs: await Promise.all(looks) };
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
