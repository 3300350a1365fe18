import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { agentPrograms } from '../../scripts/lib/agent-files.ts';
import { runProgram, ScriptError } from '../../scripts/lib/program.ts';
import { TestFleet } from '../../tests/e2e/support/fleet.ts';
import { startProcess } from '../../tests/e2e/support/processes.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';
import type { Figure } from '../figures.ts';
import { cpuMs } from './process-here.ts';
import { cpuFigure } from './reach.ts';

const SETTLE_MS = 60_000;

/** Programs of this machine that the agent and its launcher start. */
const PROGRAMS = ['/bin/sh', '/usr/bin/cat'];

/**
 * A pipe that stays silent stands for the uevents socket that systemd would pass: the agent then reads as seldom as on its host. The process id is kept
 * by each exec.
 */
const LAUNCH = `export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=uevents; exec 3<>/uevents; exec /bin/sh /usr/bin/modfleet-agent run`;

/**
 * The agent at rest on this machine itself, in a root folder with what a lab host showed it (captured-tree.ts): the work of that host on a real CPU,
 * with nothing scaled. Its share of a core. Needs root, for chroot.
 */
export async function replay(tree: Buffer, idleMs: number): Promise<number> {
  const fleet = await TestFleet.start();
  const root = mkdtempSync(join(tmpdir(), 'modfleet-replay-'));
  try {
    await makeRoot(root, tree);
    const settings = `server: 127.0.0.1:${fleet.identityPort}\nmode: act\nstate_dir: /var/lib/replay-${process.pid}\n`;
    putFile(root, 'etc/modfleet/agent.yaml', settings, 0o600);
    putFile(root, 'etc/modfleet/join', await fleet.joinString(), 0o600);
    const agent = startProcess('/usr/sbin/chroot', [root, '/bin/sh', '-c', LAUNCH], {}, join(root, 'agent.log'));
    try {
      await eventually('the replayed host is connected', () => isConnected(fleet));
      await delay(SETTLE_MS);
      const [began, before] = [performance.now(), cpuMs(agent.pid)];
      await delay(idleMs);
      return (cpuMs(agent.pid) - before) / (performance.now() - began);
    } finally {
      await agent.end();
    }
  } finally {
    await fleet.stop();
    rmSync(root, { recursive: true, force: true });
  }
}

/**
 * CPU at rest. What a core does a second depends on the work: short wakes of a program whose caches are cold cost many times the CPU time, an instruction,
 * of a loop. So the time is measured on the work itself, and the instructions (counted on the lab host, exact) only say which work that is.
 */
export function replayFigure(share: number, instructions: number, idleMs: number): Figure {
  const note = `over ${Math.round(idleMs / 60_000)} min natively, on a captured tree`;
  return cpuFigure(
    'agent: CPU at rest',
    share,
    `${note}; ${(instructions / share / 1e9).toFixed(1)} instructions a ns of it`,
  );
}

async function isConnected(fleet: TestFleet): Promise<true | undefined> {
  const hosts = (await fleet.api('GET', '/api/v1/hosts')).body['items'] as { connected: boolean }[];
  return hosts.some(({ connected }) => connected) || undefined;
}

/** The captured tree, the agent's programs, and what they need of this machine. */
async function makeRoot(root: string, tree: Buffer): Promise<void> {
  const archive = join(root, 'tree.tar.gz');
  writeFileSync(archive, tree);
  for (const folder of ['dev', 'tmp', 'var/lib']) mkdirSync(join(root, folder), { recursive: true });
  await must('tar', ['-C', root, '-xzf', archive]);
  await must('mknod', ['-m', '666', join(root, 'dev/null'), 'c', '1', '3']);
  await must('mknod', ['-m', '666', join(root, 'dev/urandom'), 'c', '1', '9']);
  await must('mkfifo', [join(root, 'uevents')]);
  for (const [path, { content, mode }] of await agentPrograms()) putFile(root, path, content, mode);
  copy(process.execPath, join(root, 'usr/lib/modfleet/node'));
  for (const program of PROGRAMS) copy(program, join(root, program));
  for (const program of [process.execPath, ...PROGRAMS])
    for (const [, library = ''] of (await must('ldd', [program])).matchAll(/(\/\S+) \(0x/g))
      copy(library, join(root, library));
}

function putFile(root: string, path: string, content: string | Buffer, mode: number): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  chmodSync(file, mode);
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(realpathSync(from), to);
}

async function must(program: string, args: readonly string[]): Promise<string> {
  const end = await runProgram(program, args);
  if (end.status !== 0) throw new ScriptError(`${program} ${args.join(' ')}: ${end.output.trim()}`);
  return end.output;
}
