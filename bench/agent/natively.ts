import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentPrograms } from '../../scripts/lib/agent-files.ts';
import { median } from '../../scripts/lib/measured.ts';
import { runProgram } from '../../scripts/lib/program.ts';
import { TestFleet } from '../../tests/e2e/support/fleet.ts';
import { type TestProcess, startProcess } from '../../tests/e2e/support/processes.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';
import { type Figure, figure } from '../figures.ts';
import { cpuMs, family, weightHere } from './process-here.ts';
import { type IdleOptions, REACH, cpuFigure, idleFigures } from './reach.ts';
import { type Wire, between, wireOf } from './weight.ts';

const STARTS = 7;
const SETTLE_MS = 60_000;
/** Where the programs of a host lie. */
const LIBRARY = 'usr/lib/modfleet';

/** The agent as it is packed, with its launcher, on this machine: no emulation, and whatever kernel this machine has. */
export async function measureNatively({ idleMs }: IdleOptions): Promise<Figure[]> {
  const fleet = await TestFleet.start();
  try {
    const config = await prepare(fleet);
    const times: number[] = [];
    for (let start = 0; start < STARTS; start++) {
      const began = performance.now();
      const agent = run(fleet, config);
      await listed(fleet);
      times.push((performance.now() - began) / 1000);
      await agent.end();
      await eventually('the server sees it gone', async () => !(await isConnected(fleet)) || undefined);
    }
    // The first start joins.
    const known = times.slice(1);
    const figures = await measureIdle(fleet, config, idleMs);
    const note = `median of ${known.length}, longest ${Math.max(...known).toFixed(2)}; with joining ${times[0]?.toFixed(2)}`;
    return [...figures, figure('agent, native: start to listed', median(known), 's', REACH.startS, note)];
  } finally {
    await fleet.stop();
  }
}

async function measureIdle(fleet: TestFleet, config: string, idleMs: number): Promise<Figure[]> {
  const agent = run(fleet, config);
  try {
    await listed(fleet);
    await delay(SETTLE_MS);
    const [began, cpuBefore, wireBefore] = [performance.now(), cpuMs(agent.pid), await wire(agent.pid)];
    await delay(idleMs);
    const [ended, cpuAfter, wireAfter] = [performance.now(), cpuMs(agent.pid), await wire(agent.pid)];
    const spanMs = ended - began;
    const weight = weightHere(agent.pid);
    const note = family(agent.pid)
      .map((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8').trim())
      .join(', ');
    const idle = { weight, wire: between(wireBefore, wireAfter), spanMs, isOurs: true, note };
    const minutes = `over ${Math.round(spanMs / 60_000)} min`;
    return [
      ...idleFigures('agent, native', idle),
      cpuFigure('agent, native: CPU at rest', (cpuAfter - cpuBefore) / spanMs, minutes),
    ];
  } finally {
    await agent.end();
  }
}

/** Puts the agent's files below the fleet's folder; gives the path of its settings. */
async function prepare(fleet: TestFleet): Promise<string> {
  const root = join(fleet.folder, 'host');
  for (const [path, { content, mode }] of await agentPrograms()) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    const text = path.startsWith('usr/bin/')
      ? content.toString().replaceAll(`/${LIBRARY}`, join(root, LIBRARY))
      : content;
    writeFileSync(file, text);
    chmodSync(file, mode);
  }
  symlinkSync(process.execPath, join(root, LIBRARY, 'node'));
  writeFileSync(join(root, 'join'), await fleet.joinString(), { mode: 0o600 });
  const config = join(root, 'agent.yaml');
  const lines = [
    `server: 127.0.0.1:${fleet.identityPort}`,
    'mode: observe',
    `state_dir: ${join(root, 'state')}`,
    `join_file: ${join(root, 'join')}`,
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return config;
}

function run(fleet: TestFleet, config: string): TestProcess {
  const root = join(fleet.folder, 'host');
  return startProcess(join(root, 'usr/bin/modfleet-agent'), ['run', '--config', config], {}, join(root, 'agent.log'));
}

async function isConnected(fleet: TestFleet): Promise<boolean> {
  const hosts = (await fleet.api('GET', '/api/v1/hosts')).body['items'] as { connected: boolean }[];
  return hosts.some(({ connected }) => connected);
}

/** The API says of the host's kmods that it knows them now, or (a kernel without loadable kmods) now knows why not. */
async function listed(fleet: TestFleet): Promise<void> {
  await eventually('the host is listed', async () => {
    const hosts = (await fleet.api('GET', '/api/v1/hosts')).body['items'] as { id: string; connected: boolean }[];
    const [host] = hosts.filter(({ connected }) => connected);
    if (host === undefined) return undefined;
    const { coverage } = (await fleet.api('GET', `/api/v1/hosts/${host.id}`)).body as {
      coverage?: Record<string, string>;
    };
    const loaded = coverage?.['loaded'];
    return loaded === 'fresh' || loaded === 'incapable' || undefined;
  });
}

async function wire(pid: number): Promise<Wire> {
  const { output } = await runProgram('ss', [
    '--tcp',
    '--numeric',
    '--info',
    '--processes',
    '--no-header',
    'state',
    'established',
  ]);
  const lines = output.split('\n');
  const at = lines.findIndex((line) => line.includes(`pid=${pid},`));
  return wireOf(lines.slice(at, at + 2).join('\n'));
}
