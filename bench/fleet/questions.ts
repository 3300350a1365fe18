import { type Figure, figure } from '../figures.ts';
import { quantile } from '../quantile.ts';
import { delayFigures } from './delay-figures.ts';
import type { MeasuredFleet } from './measured-fleet.ts';

const LIVE_MS = 2_000;
const LIVE_RUNS = 30;
const PAGE_MS = 25;
const PAGE_RUNS = 1_000;
const CHANGES_PER_SECOND = 100;
/** One that every host has, one that few have. */
const KMODS = ['nf_tables', 'sctp'] as const;

/** `modfleet kmods hosts X --live`, from pressing enter until the last answer is on the screen and the command is over. */
export async function measureLiveQuestions(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, hosts } = fleet;
  const took: number[] = [];
  const unanswered: string[] = [];
  const rows: number[] = [];
  const { delays, cpuMs } = await server.watched(async () => {
    for (let run = 0; run < LIVE_RUNS; run += 1) {
      const began = performance.now();
      const { stdout, stderr } = await server.fleet.modfleet('kmods', 'hosts', 'nf_tables', '--live');
      took.push(performance.now() - began);
      // The headline goes to stderr, so that a pipe gets rows only.
      if (!stderr.includes(`${hosts} of ${hosts} hosts`)) unanswered.push(stderr.split('\n')[0] ?? '');
      rows.push(stdout.split('\n').length);
      await fleet.calm();
    }
  });
  const missing = unanswered.length === 0 ? 'each answered by all' : `${unanswered.length} not whole: ${unanswered[0]}`;
  return [
    {
      ...figure(
        `live question to ${hosts} hosts, on the screen: p99`,
        quantile(took, 0.99),
        'ms',
        LIVE_MS,
        `${LIVE_RUNS} runs of the command, ${missing}; at least ${Math.min(...rows)} lines`,
        0,
      ),
      ...(unanswered.length === 0 ? {} : { holds: false }),
    },
    figure(
      'the same: p50',
      quantile(took, 0.5),
      'ms',
      null,
      `server CPU ${Math.round(cpuMs / LIVE_RUNS)} ms a question`,
      0,
    ),
    ...delayFigures('live questions', delays),
  ];
}

/** The first page of 100 of "which hosts run X" over HTTP, while kmods are loaded and unloaded. */
export async function measurePages(fleet: MeasuredFleet): Promise<Figure[]> {
  const { server, swarm } = fleet;
  const figures: Figure[] = [];
  fleet.changes(CHANGES_PER_SECOND);
  for (const kmod of KMODS) {
    const took: number[] = [];
    const changesBefore = swarm.counts().changes;
    const began = performance.now();
    const { delays, cpuMs } = await server.watched(async () => {
      for (let run = 0; run < PAGE_RUNS; run += 1) {
        const asked = performance.now();
        const { status } = await server.fleet.api('GET', `/api/v1/kmods/${kmod}/hosts?limit=100`);
        took.push(performance.now() - asked);
        if (status !== 200) throw new Error(`the server answered ${status}`);
      }
    });
    const rate = (swarm.counts().changes - changesBefore) / ((performance.now() - began) / 1_000);
    const note = `${PAGE_RUNS} requests, one after the other; ${Math.round(rate)} changes a second came in`;
    figures.push(
      figure(`page of 100, which hosts run ${kmod}: p99`, quantile(took, 0.99), 'ms', PAGE_MS, note, 1),
      figure(
        `page of 100, which hosts run ${kmod}: p50`,
        quantile(took, 0.5),
        'ms',
        null,
        `server CPU ${(cpuMs / PAGE_RUNS).toFixed(1)} ms a page, the changes in it`,
        1,
      ),
      ...delayFigures(`pages of ${kmod}`, delays),
    );
  }
  fleet.changes(0);
  await fleet.calm();
  return figures;
}
