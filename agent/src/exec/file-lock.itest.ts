import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type FileLock, lockFile } from './file-lock.ts';
import { NodeExec } from './node-exec.ts';

const exec = new NodeExec();
const isRoot = process.geteuid?.() === 0;
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'modfleet-lock-'));
  file = path.join(folder, 'one.lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function held(): Promise<FileLock> {
  const answer = await lockFile(exec, file);
  if (answer.kind !== 'held') throw new Error(JSON.stringify(answer));
  return answer.lock;
}

it('is held by one of many, and by the next when that one lets go', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => lockFile(exec, file)));
  expect(answers.map((one) => one.kind).sort()).toEqual(['held', 'taken', 'taken', 'taken', 'taken']);
  for (const one of answers) if (one.kind === 'held') await one.lock.release();
  await (await held()).release();
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

it('is free when its process was killed', async () => {
  const script = `import('${new URL('./file-lock.ts', import.meta.url).href}').then(async ({ lockFile }) => {
    const { NodeExec } = await import('${new URL('./node-exec.ts', import.meta.url).href}');
    console.log((await lockFile(new NodeExec(), ${JSON.stringify(file)})).kind);
  });`;
  const flags = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning', '--input-type=module'];
  const other = spawn(process.execPath, [...flags, '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = (await once(other.stdout, 'data')) as [Buffer];
  expect(String(said).trim()).toBe('held');
  expect((await lockFile(exec, file)).kind).toBe('taken');
  other.kill('SIGKILL');
  await once(other, 'exit');
  await expect.poll(async () => (await lockFile(exec, file)).kind, { timeout: 10_000 }).toBe('held');
});

it('is said to be lost when its programs were ended', async () => {
  const lock = await held();
  const lost = new Promise<void>((resolve) => lock.onLost(resolve));
  process.kill(-holder(), 'SIGKILL');
  await lost;
  await (await held()).release();
});

it('cannot be told without the program, and without the folder', async () => {
  expect(await lockFile(new NodeExec({ folders: [] }), file)).toEqual({
    kind: 'impossible',
    reason: 'flock is not installed',
  });
  expect(await lockFile(exec, path.join(folder, 'none', 'x.lock'))).toMatchObject({
    kind: 'impossible',
    reason: expect.stringContaining('ENOENT') as string,
  });
});

it.runIf(isRoot)('is out of reach of other users, in a folder of its own', async () => {
  chmodSync(folder, 0o700);
  await (await held()).release();
  const other = spawn('/usr/bin/flock', ['-n', file, 'true'], { uid: 65_534, gid: 65_534, stdio: 'ignore', cwd: '/' });
  const [code] = (await once(other, 'exit')) as [number];
  expect(code).not.toBe(0);
  chmodSync(folder, 0o755);
  const again = spawn('/usr/bin/flock', ['-n', file, 'true'], { uid: 65_534, gid: 65_534, stdio: 'ignore', cwd: '/' });
  const [second] = (await once(again, 'exit')) as [number];
  expect(second).not.toBe(0);
});

/** The program that holds the lock; its group is itself and the `cat` behind it. */
function holder(): number {
  const pid = readdirSync('/proc').find((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(`-n\0${file}\0cat`);
    } catch {
      return false;
    }
  });
  if (pid === undefined) throw new Error('nobody holds the lock');
  return Number(pid);
}
