import { parseArgs } from 'node:util';
import { keepFigures, measuredWhere, median, resultFile } from '../scripts/lib/measured.ts';
import { withProgress } from '../scripts/lib/progress.mjs';
import { TestFleet } from '../tests/e2e/support/fleet.ts';
import { MemoryWatch } from '../tests/fuzz/support/memory-watch.ts';
import { type ClientRun, runClient } from './export/client.ts';
import { seedHosts } from './export/seed.ts';
import { type Figure, figure, figureTable } from './figures.ts';
import { whole } from './whole.ts';

/** Heaps (old space, MiB) in which a list held whole would not fit: 100,000 hosts are 20 MB of CSV, and some 200 MB as objects. */
const SERVER_HEAP_MIB = 128;
const CLIENT_HEAP_MIB = 24;
/** What a stream may cost beyond a single page, on either side. */
const GROWTH_MIB = 60;

const LISTS: readonly (readonly [name: string, args: readonly string[], head: number])[] = [
  ['hosts, CSV', ['hosts', 'list', '--output', 'csv'], 1],
  ['hosts of a kmod, NDJSON', ['kmods', 'hosts', 'bench_1', '--output', 'ndjson'], 0],
  ['events, NDJSON', ['events', 'list', '--output', 'ndjson'], 0],
];

const QUESTIONS: readonly (readonly [name: string, path: string])[] = [
  ['kmods skew', '/skew/kmods'],
  ['kmods skew NAME', '/kmods/bench_1/skew'],
  ['events list, first page', '/events?limit=100'],
  ['events list, by selector', '/events?limit=100&selector=env%3Dstaging'],
  ['which hosts changed since yesterday, page of 100', '/events/hosts?limit=100'],
];

/** `npm run bench -- export`: lists given whole by processes with small heaps, and what the other views of a large fleet take. */
export async function benchExport(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: { rows: { type: 'string', default: '100000' }, sets: { type: 'string', default: '1000' } },
  });
  const rows = whole('--rows', values.rows);
  const sets = whole('--sets', values.sets);
  const where = await measuredWhere();
  const fleet = await TestFleet.start({
    NODE_OPTIONS: `--max-old-space-size=${SERVER_HEAP_MIB}`,
    MODFLEET_RATE_IDENTITY_PER_SECOND: '0',
    MODFLEET_RATE_ADDRESS_PER_SECOND: '0',
  });
  const figures: Figure[] = [];
  try {
    await withProgress(`${rows} hosts, ${sets} distinct sets`, () =>
      seedHosts(fleet.databaseUrl, { hosts: rows, sets }),
    );
    // One page warms both up: what they weigh after it is where growth begins.
    const page = await runClient(fleet, CLIENT_HEAP_MIB, ['hosts', 'list', '--json', 'id', '--limit', '1000']);
    for (const [name, command, head] of LISTS)
      figures.push(...(await withProgress(name, () => measureList(fleet, name, command, rows + head, page.peakMib))));
    for (const [name, path] of QUESTIONS)
      figures.push(await withProgress(name, () => measureQuestion(fleet, name, path)));
  } finally {
    await fleet.stop();
  }
  keepFigures('export', 'all', where, figures);
  console.log(`\n${where.machine}; load ${where.loadAverage}; commit ${where.commit}\n\n${figureTable(figures)}\n`);
  console.log(resultFile('export'));
  return figures.some(({ holds }) => holds === false) ? 1 : 0;
}

async function measureList(
  fleet: TestFleet,
  name: string,
  command: readonly string[],
  lines: number,
  clientPageMib: number,
): Promise<Figure[]> {
  const server = await MemoryWatch.begin(fleet.serverPid);
  const before = server.figures();
  const run: ClientRun = await runClient(fleet, CLIENT_HEAP_MIB, command);
  await server.look();
  const grown = Math.max(0, server.figures().peak - Math.max(before.first, before.peak));
  const whole = run.code === 0 && run.lines === lines;
  const note = `${run.lines} lines in ${run.seconds.toFixed(1)} s, status ${run.code}${whole ? '' : ', NOT whole'}`;
  return [
    { ...figure(`${name}: rows a second`, run.lines / run.seconds, '/s', null, note, 0), holds: whole ? null : false },
    figure(
      `${name}: server's memory beyond its former peak`,
      grown,
      'MiB',
      GROWTH_MIB,
      `heap limit ${SERVER_HEAP_MIB} MiB`,
      0,
    ),
    figure(
      `${name}: client's memory beyond that of one page`,
      Math.max(0, run.peakMib - clientPageMib),
      'MiB',
      GROWTH_MIB,
      `peak ${run.peakMib} MiB, one page ${clientPageMib} MiB; heap limit ${CLIENT_HEAP_MIB} MiB`,
      0,
    ),
  ];
}

async function measureQuestion(fleet: TestFleet, name: string, path: string): Promise<Figure> {
  const took: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    const began = performance.now();
    const answer = await fleet.api('GET', `/api/v1${path}`);
    if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    took.push(performance.now() - began);
  }
  const range = `median of 5; ${Math.round(Math.min(...took))} to ${Math.round(Math.max(...took))}`;
  return figure(name, median(took), 'ms', null, range, 0);
}
