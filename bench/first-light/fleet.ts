import { readFileSync } from 'node:fs';
import { AVAILABLE_LIMIT_MS, LabFleet } from '../../tests/e2e/support/lab-fleet.ts';
import { type Figure, figure } from '../figures.ts';
import { measureChanges } from './changes.ts';
import { measureFreeze } from './freeze.ts';

const HOSTS = [
  { name: 'bench-61', kind: 'fast', series: '6.1' },
  { name: 'bench-612', kind: 'fast', series: '6.12' },
] as const;

const LOADS = 12;
const LOADS_POLLED = 5;

/** A change is in the answer within a second where the kernel tells of it. */
const CHANGE_MS = 1_000;

/** A server and a host of each kernel series. */
export async function measureFleet(): Promise<Figure[]> {
  const lab = await LabFleet.start(HOSTS);
  try {
    // The one long work after a first start is over: what follows is a host's daily life.
    for (const { name } of HOSTS) await lab.fresh(name, 'available', AVAILABLE_LIMIT_MS);
    const figures: Figure[] = [];
    for (const { name, series } of HOSTS)
      figures.push(...(await measureChanges(lab, name, `change to answer, ${series}, uevents`, LOADS, CHANGE_MS)));
    figures.push(
      await measureFreeze(
        lab,
        HOSTS.map(({ name }) => name),
      ),
    );
    for (const { name, series } of HOSTS) {
      const rollup = await lab.host(name).must(`cat /proc/${await lab.host(name).agentPid()}/smaps_rollup`);
      figures.push(...memoryOf(`agent, idle, ${series}`, rollup));
    }
    figures.push(...memoryOf('server, two hosts', readFileSync(`/proc/${lab.fleet.serverPid}/smaps_rollup`, 'utf8')));
    figures.push(...(await withoutUevents(lab, HOSTS[0].name, HOSTS[0].series)));
    return figures;
  } finally {
    await lab.stop();
  }
}

async function withoutUevents(lab: LabFleet, name: string, series: string): Promise<Figure[]> {
  const host = lab.host(name);
  await host.must('rm "$(command -v udevadm)"');
  await host.agent('restart');
  await lab.disconnected(name);
  await lab.connected(name);
  // One poll every 10 s, and what follows it.
  return measureChanges(lab, name, `change to answer, ${series}, polling only`, LOADS_POLLED, 11_000);
}

function memoryOf(what: string, rollup: string): Figure[] {
  return (['Rss', 'Pss'] as const).map((kind) => {
    const kb = new RegExp(`^${kind}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1];
    if (kb === undefined) throw new Error(`smaps_rollup names no ${kind}`);
    return figure(`${what}: ${kind.toUpperCase()}`, Number(kb) / 1024, 'MB', null, '');
  });
}
