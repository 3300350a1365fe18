import { parseArgs } from 'node:util';
import { Outcome } from '@modfleet/proto';
import { natsMissing } from '../scripts/lib/machine-needs.ts';
import { keepFigures, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { type BusUnderTest, natsUnderTest, postgresUnderTest } from '../tests/e2e/support/buses.ts';
import { ClusterHosts } from '../tests/e2e/support/cluster-hosts.ts';
import { TestCluster } from '../tests/e2e/support/cluster.ts';
import { killUnderLoad } from '../tests/e2e/support/kill-replica.ts';
import { quantile } from './quantile.ts';
import { type Figure, figure, figureTable } from './figures.ts';
import { whole } from './whole.ts';

const RESULT = 'replicas';
const BUSES = { postgres: postgresUnderTest, nats: natsUnderTest } as const;
type BusName = keyof typeof BUSES;

/** Each on three servers of its own. */
const PARTS = { arrive: arriveFigures, kill: killFigures } as const;
type Part = keyof typeof PARTS;

/** Hosts over three servers; none of them has anything else to do. */
const HOSTS = 30;
const ACTIONS = 300;
const WARM_UP = 20;
const ARRIVES_MS = 100;
/** The sweep looks every 5 s, and each server at its own time. */
const DOWN_ACTIONS = 15;
const SWEPT_MS = 5_000;
const BACK_S = 60;
const LIMIT_MS = 60_000;

/** `npm run bench -- replicas`: three servers, how soon an action arrives that another holds the host of, and what a killed one costs. */
export async function benchReplicas(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      bus: { type: 'string', default: 'postgres,nats' },
      only: { type: 'string', default: 'arrive,kill' },
      hosts: { type: 'string', default: '300' },
    },
  });
  const names = values.bus.split(',').map(busOf);
  const missing = names.includes('nats') ? await natsMissing() : undefined;
  if (missing !== undefined) throw new ScriptError(`${missing}; or measure without it: --bus postgres`);
  const where = await measuredWhere();
  const hosts = whole('--hosts', values.hosts);
  const parts = values.only.split(',').map(partOf);
  const figures: Figure[] = [];
  for (const name of names)
    for (const part of parts) {
      const measured = await withProgress(`three servers, wake-ups over ${name}: ${part}`, () =>
        onCluster(name, (cluster, bus) => PARTS[part](name, cluster, bus, hosts)),
      );
      figures.push(...measured);
      keepFigures(RESULT, `${name} ${part}`, where, measured);
    }
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(figures)}\n`);
  console.log(resultFile(RESULT));
  return figures.some(({ holds }) => holds === false) ? 1 : 0;
}

function busOf(word: string): BusName {
  if (!Object.hasOwn(BUSES, word))
    throw new ScriptError(`--bus takes ${Object.keys(BUSES).join(', ')}, not "${word}".`);
  return word as BusName;
}

function partOf(word: string): Part {
  if (!Object.hasOwn(PARTS, word))
    throw new ScriptError(`--only takes parts of ${Object.keys(PARTS).join(', ')}, not "${word}".`);
  return word as Part;
}

async function onCluster(
  name: BusName,
  measure: (cluster: TestCluster, bus: BusUnderTest) => Promise<Figure[]>,
): Promise<Figure[]> {
  const bus = await BUSES[name]();
  const cluster = await TestCluster.start(3, bus.settings);
  try {
    return await measure(cluster, bus);
  } finally {
    await cluster.stop();
    await bus.stop();
  }
}

async function arriveFigures(name: BusName, cluster: TestCluster, bus: BusUnderTest): Promise<Figure[]> {
  const few = await ClusterHosts.start(cluster, HOSTS);
  const arrivals = await arrivalFigures(name, few);
  await bus.down(cluster);
  const swept = await act(few, DOWN_ACTIONS);
  await bus.up(cluster);
  const all = [...few.arrivals.values()].map((each) => each.length);
  await few.stop();
  const twice = all.filter((times) => times !== 1).length;
  const note = `${DOWN_ACTIONS} actions; the sweep looks every ${SWEPT_MS} ms`;
  return [
    ...arrivals,
    figure(`${name}: action arrives with the bus down, max`, Math.max(...swept), 'ms', SWEPT_MS, note, 0),
    figure(`${name}: actions that arrived twice`, twice, 'actions', 0, `of ${all.length}`),
  ];
}

async function arrivalFigures(name: BusName, hosts: ClusterHosts): Promise<Figure[]> {
  await act(hosts, WARM_UP);
  const took = await act(hosts, ACTIONS);
  const at = (share: number): number => quantile(took, share);
  const note = `${ACTIONS} actions one after the other, from the request's first byte until the host's engine has it; hosts, servers, PostgreSQL and caller on one machine`;
  return [
    figure(`${name}: action for a host held elsewhere arrives, p50`, at(0.5), 'ms', null, note, 1),
    figure(`${name}: action for a host held elsewhere arrives, p99`, at(0.99), 'ms', ARRIVES_MS, note, 1),
    figure(`${name}: action for a host held elsewhere arrives, max`, at(1), 'ms', null, note, 1),
  ];
}

/** One after the other, over all hosts; gives how long each took to arrive, ms. */
async function act(hosts: ClusterHosts, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let number = 0; number < count; number += 1) {
    const host = hosts.hosts[number % hosts.hosts.length];
    if (host !== undefined) took.push((await hosts.act(host.plan.name, LIMIT_MS)).tookMs);
  }
  return took;
}

async function killFigures(name: BusName, cluster: TestCluster, _bus: BusUnderTest, hosts: number): Promise<Figure[]> {
  const killed = await killUnderLoad(cluster, hosts);
  const { asked, back } = killed;
  const succeeded = killed.outcomes[Outcome.OUTCOME_SUCCEEDED] ?? 0;
  const note = `${hosts} hosts, ${killed.victimHeld} of them on the server that got SIGKILL, ${asked} actions meanwhile`;
  return [
    figure(`${name}: server killed under load, its hosts on others`, killed.backMs / 1_000, 's', BACK_S, note, 1),
    figure(`${name}: actions that did not succeed`, asked - succeeded, 'actions', 0, note),
    figure(
      `${name}: actions that were done twice`,
      killed.routines - asked,
      'actions',
      0,
      'routines that ran on the hosts',
    ),
    figure(
      `${name}: it is back, and the three hold equally many`,
      back.evenMs / 1_000,
      's',
      null,
      `${back.moved} hosts moved, 50 a second at most; a server counts 10 s after its start`,
      1,
    ),
    figure(
      `${name}: hosts without a fresh inventory while they moved`,
      back.gaps,
      'hosts',
      0,
      `over ${back.looks} looks`,
    ),
  ];
}
