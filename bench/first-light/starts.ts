import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/embedded-postgres.mjs';
import { median } from '../../scripts/lib/measured.ts';
import { repository } from '../../scripts/lib/paths.ts';
import { runProgram, ScriptError } from '../../scripts/lib/program.ts';
import { type Figure, figure } from '../figures.ts';

const AGAIN = 3;

/** A person looks at the clock for the second start; the first compiles. */
const SECOND_START_S = 5;

/** Starts in a clone of HEAD with packages installed: the first generates, compiles and makes a database, the others only start. */
export async function measureStarts(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-bench-'));
  try {
    const clone = join(folder, 'clone');
    await must('git', ['clone', '-q', repository, clone]);
    await must('cp', ['-a', '--reflink=auto', join(repository, 'node_modules'), join(clone, 'node_modules')]);
    const ports = [await freePort(), await freePort(), await freePort()];
    const first = await startAndStop(clone, ports);
    const again: number[] = [];
    for (let run = 0; run < AGAIN; run++) again.push(await startAndStop(clone, ports));
    const note = `median of ${AGAIN}, longest ${Math.max(...again).toFixed(1)}`;
    return [
      figure('npm start, first (packages installed)', first, 's', null, 'one run'),
      figure('npm start, again', median(again), 's', SECOND_START_S, note),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const end = await runProgram(command, args);
  if (end.status !== 0) throw new ScriptError(`${command} ${args[0] ?? ''}: ${end.output.trim()}`);
}

/** Seconds from the command to its "modfleet runs."; everything is stopped again, as with Ctrl-C. */
async function startAndStop(clone: string, ports: readonly number[]): Promise<number> {
  const [http, session, identity] = ports.map((port) => `127.0.0.1:${port}`);
  const args = ['--http', http, '--session', session, '--identity', identity];
  const began = performance.now();
  const child = spawn('npm', ['start', '--', ...args.map(String)], {
    cwd: clone,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let said = '';
  const closed = new Promise<void>((done) => child.once('close', () => done()));
  const up = new Promise<void>((done) => {
    const listen = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes('modfleet runs.')) done();
    };
    child.stdout.on('data', listen);
    child.stderr.on('data', listen);
  });
  await Promise.race([up, closed]);
  const seconds = (performance.now() - began) / 1000;
  if (child.exitCode !== null) throw new ScriptError(`npm start ended by itself:\n${said.slice(-2000)}`);
  // As a terminal does it: to the whole group.
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
  await closed;
  return seconds;
}
