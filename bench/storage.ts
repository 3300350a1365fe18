import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../scripts/lib/embedded-postgres.mjs';
import { keepFigures, type MeasuredWhere, measuredWhere, resultFile } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
import { migrate } from '../services/server/src/database/migrate.ts';
import { IngestService } from '../services/server/src/ingest/ingest.service.ts';
import { REPLICA_ID } from '../services/server/src/presence/replica-id.ts';
import { ApiServer } from '../services/server/src/testing/api-server.ts';
import { type Figure, figure, figureTable } from './figures.ts';
import { cpuMs } from './storage/cpu.ts';
import { Filler } from './storage/fill.ts';
import { FleetModel } from './storage/fleet-model.ts';
import { measureIngest } from './storage/ingest.ts';
import { PlanRecorder } from './storage/plans.ts';
import {
  changeQuestions,
  countQuestions,
  historyQuestions,
  kmodQuestions,
  type Question,
} from './storage/questions.ts';
import { sizesOf } from './storage/sizes.ts';
import { timesOf, WARM_UP_RUNS } from './storage/timing.ts';
import { whole } from './whole.ts';

const KMODS = 150;
const SEED = 1;
const HISTORY_DAYS = 90;
/** Hosts that come back with another kernel. */
const UPDATED_HOSTS = 300;
const CONNECTIONS = 20_000;
const INGEST_HOSTS = 10_000;
const MB = 1_000_000;
/** Hosts that the reaches are about. */
const REACH_HOSTS = 100_000;

interface Run {
  readonly server: ApiServer;
  readonly hosts: number;
  readonly percent: number;
  readonly figures: Figure[];
  readonly plans: string[];
  readonly eventsPerHost: number;
  /** Process id of PostgreSQL. */
  readonly postmaster: number;
}

/**
 * `npm run bench -- storage`: a fleet in a real PostgreSQL with its own defaults (fsync and synchronous_commit are on, 128 MB of shared buffers), and how
 * long the server's own services take to answer over it. One database for each share of distinct sets.
 */
export async function benchStorage(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      hosts: { type: 'string', default: String(REACH_HOSTS) },
      distinct: { type: 'string', default: '5,30,100' },
      'events-per-host': { type: 'string', default: '9' },
      'no-ingest': { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
    },
  });
  const hosts = whole('--hosts', values.hosts);
  const shares = values.distinct === 'none' ? [] : values.distinct.split(',').map((word) => whole('--distinct', word));
  if (hosts < 1_000) throw new ScriptError('--hosts takes 1000 or more: with fewer nothing is said of big fleets.');
  if (shares.some((share) => share < 1 || share > 100))
    throw new ScriptError('--distinct takes percents from 1 to 100.');
  const where = await measuredWhere();
  const all: Figure[] = [];
  for (const percent of shares) {
    const figures = await withDatabase((server, figuresOf) =>
      measureShare(
        { server, hosts, percent, ...figuresOf, eventsPerHost: whole('--events-per-host', values['events-per-host']) },
        where,
        values['dry-run'],
      ),
    );
    all.push(...figures);
    if (!values['dry-run']) keepFigures('storage', `${hosts} hosts, ${percent} % distinct`, where, figures);
  }
  if (!values['no-ingest']) {
    const figures = await ingestFigures();
    all.push(...figures);
    if (!values['dry-run']) keepFigures('storage', 'ingest', where, figures);
  }
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(all)}\n`);
  if (!values['dry-run']) console.log(resultFile('storage'));
  return all.some(({ holds }) => holds === false) ? 1 : 0;
}

async function withDatabase<T>(
  work: (server: ApiServer, collect: { figures: Figure[]; plans: string[]; postmaster: number }) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'modfleet-bench-storage-'));
  const postgres = await startEmbeddedPostgres(folder);
  try {
    await migrate(postgres.url());
    const server = await ApiServer.start(postgres.url(), { MODFLEET_DB_POOL_SIZE: '12' });
    try {
      return await work(server, { figures: [], plans: [], postmaster: postgres.pid ?? 0 });
    } finally {
      await server.stop();
    }
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureShare(run: Run, where: MeasuredWhere, dryRun: boolean): Promise<Figure[]> {
  const { server, hosts, percent, figures } = run;
  const model = new FleetModel(hosts, percent / 100, KMODS, SEED);
  const filler = new Filler(server.database, server.app.get<string>(REPLICA_ID), model);
  console.log(`\n${hosts} hosts, ${percent} % distinct: ${JSON.stringify(model.contents)}`);
  await told('sets', () => filler.contents());
  await told('hosts', () => filler.hosts());
  const { inventory, parameters, tables } = await sizesOf(server.database);
  const split = tables.slice(0, 8).map(([name, bytes]) => `${name} ${Math.round(bytes / MB)}`);
  figures.push(
    figure(
      named(run, 'bytes of hosts, sets, labels'),
      inventory / MB,
      'MB',
      hosts === REACH_HOSTS && percent === 30 ? 100 : null,
      `with indexes; MB of ${split.join(', ')}`,
      0,
    ),
    figure(named(run, 'bytes of parameters'), parameters / MB, 'MB', null, '', 0),
  );
  await told('history', () => historyFigures(run, filler));
  const questions = [
    ...countQuestions(server),
    ...(await kmodQuestions(server)),
    ...historyQuestions(server, model, HISTORY_DAYS),
    ...changeQuestions(server),
  ];
  for (const question of questions) await askQuestion(run, question);
  if (!dryRun)
    await writeFile(
      resultFile('storage').replace(/\.json$/, `-plans-${hosts}-${percent}.txt`),
      `${where.machine}; ${where.date}; commit ${where.commit}\n\n${run.plans.join('\n\n')}\n`,
    );
  return figures;
}

async function historyFigures(run: Run, filler: Filler): Promise<void> {
  const size = async (): Promise<number> => (await sizesOf(run.server.database)).history;
  for (const [what, write] of [
    ['one event: a kmod loaded or unloaded', () => filler.history(HISTORY_DAYS, run.eventsPerHost)],
    ['one event: a kmod changed, as at a kernel update', () => filler.kernelUpdates(UPDATED_HOSTS)],
    ['one connection that ended', () => filler.connections(CONNECTIONS)],
  ] as const) {
    const before = await size();
    const rows = await write();
    const bytes = ((await size()) - before) / rows;
    run.figures.push(figure(named(run, `bytes of ${what}`), bytes, 'B', null, `${rows} rows, with indexes`, 0));
  }
}

async function askQuestion(run: Run, question: Question): Promise<void> {
  const name = named(run, question.name);
  const reach = run.hosts === REACH_HOSTS ? question.reach : null;
  try {
    const before = cpuMs(run.postmaster);
    const { p50, p99, runs } = await timesOf(question.ask);
    const cpu = (cpuMs(run.postmaster) - before) / (runs + WARM_UP_RUNS);
    run.figures.push(
      figure(name, p99, 'ms', reach, `p99 of ${runs}; p50 ${p50.toFixed(1)} ms; CPU ${cpu.toFixed(1)} ms each`, 1),
    );
    console.log(`  ${question.name}: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, CPU ${cpu.toFixed(1)} ms`);
    run.plans.push(`## ${question.name}\n\n${await new PlanRecorder(run.server.database).plansOf(question.ask)}`);
  } catch (error) {
    run.figures.push({
      name,
      value: 15_000,
      unit: 'ms',
      reach,
      holds: reach === null ? null : false,
      note: `no answer: ${(error as Error).message}`,
    });
    console.log(`  ${question.name}: ${(error as Error).message}`);
  }
}

async function ingestFigures(): Promise<Figure[]> {
  return withDatabase(async (server, { figures, postmaster }) => {
    const ingest = server.app.get(IngestService);
    const replica = server.app.get<string>(REPLICA_ID);
    const before = new FleetModel(1_000, 0.1, KMODS, 99);
    // Trees and names are there, as in a fleet that has run for a while; it also warms the server up.
    await measureIngest(server.database, ingest, replica, before, 1_000_000, postmaster);
    for (const [share, word, reach, first] of [
      [1, 'sets all distinct', 15, 2_000_000],
      [0.1, '90 % of sets shared', 5, 3_000_000],
    ] as const) {
      const model = new FleetModel(INGEST_HOSTS, share, KMODS, 100 + first);
      const { seconds, cpuSeconds } = await measureIngest(server.database, ingest, replica, model, first, postmaster);
      figures.push(
        figure(
          `ingest of 10,000 hosts, ${word}`,
          seconds,
          's',
          reach,
          `all five facets, 200 hosts at once; CPU of PostgreSQL and the server ${cpuSeconds.toFixed(1)} s`,
          1,
        ),
      );
      console.log(`  ingest, ${word}: ${seconds.toFixed(1)} s, CPU ${cpuSeconds.toFixed(1)} s`);
    }
    return figures;
  });
}

function named(run: Run, what: string): string {
  return `${run.hosts / 1000}k hosts, ${run.percent} %: ${what}`;
}

async function told(what: string, work: () => Promise<void>): Promise<void> {
  const started = performance.now();
  await work();
  console.log(`  ${what}: ${((performance.now() - started) / 1000).toFixed(1)} s`);
}
