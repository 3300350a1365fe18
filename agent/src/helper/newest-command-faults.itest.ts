import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ActionRequest, requestDigest } from '@modfleet/proto';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRequest } from '../actions/testing/builders.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { HelperRefusal } from './helper-refusal.ts';
import { FileNewestCommand, NEWEST_COMMAND_FILE } from './newest-command.ts';
import { askHelper } from './testing/ask-helper.ts';
import { complaintAboutOrder } from './verify/command-order.ts';

/* What stands in ADR 0026 of the newest command, under real faults: killed writers, full disks, damaged files. */

const SEED = 20_261_129;
const KILLS = 50;
const MUTATIONS = 200;
const commands = await TestCommands.create(1);
const now = Date.now();

function command(sequence: number): ActionRequest {
  const actionId = `00000000-0000-4000-8000-${String(sequence).padStart(12, '0')}`;
  return commands.sign(aRequest({ actionId, epoch: 1, sequence, notBeforeMs: now, expiresAtMs: now + 60_000 }));
}

let folder: string;
let stateDir: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-newest-'));
  stateDir = path.join(folder, 'state');
  file = path.join(stateDir, NEWEST_COMMAND_FILE);
  await mkdir(stateDir);
});
afterEach(() => rm(folder, { recursive: true }));

describe('a writer of newest commands that is killed', () => {
  const PROGRAM = fileURLToPath(new URL('./testing/keep-for-ever.ts', import.meta.url));
  const FLAGS = ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'];

  /** Killed so long after its first word. The last number that it called kept. */
  async function killedAfter(ms: number, material: string): Promise<number> {
    const child = spawn(process.execPath, [...FLAGS, PROGRAM, stateDir, material], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'close');
    let said = '';
    child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
    await Promise.race([once(child.stdout, 'data'), ended]);
    await delay(ms);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    return Number(said.trimEnd().split('\n').at(-1));
  }

  it(`leaves a file that can be read and is not older than what it called kept, ${KILLS} times`, async () => {
    const material = path.join(folder, 'material.json');
    const key = commands.key.privateKey.export({ type: 'pkcs8', format: 'pem' });
    await writeFile(material, JSON.stringify({ key, command: ActionRequest.toJSON(command(1)) }));
    const waits = fc.sample(fc.double({ min: 0, max: 25, noNaN: true }), { seed: SEED, numRuns: KILLS });
    let before = 0;
    for (const wait of waits) {
      const said = await killedAfter(wait, material);
      const kept = (await FileNewestCommand.open(stateDir)).get()?.sequence ?? 0;
      expect(said).toBeGreaterThan(before);
      // The one that it was keeping when it was killed may be there: it was not told that it is not.
      expect([said, said + 1]).toContain(kept);
      before = kept;
    }
    // Drafts of killed writers do not pile up: the last one's at most.
    expect((await readdir(stateDir)).length).toBeLessThanOrEqual(2);
    await FileNewestCommand.openToKeep(stateDir);
    expect(await readdir(stateDir)).toEqual([NEWEST_COMMAND_FILE]);
  }, 300_000);
});

describe('a disk that takes no record', () => {
  const FAULTS = [
    {
      what: 'is full',
      reason: /ENOSPC/,
      begin: () => filled(() => appendFile(path.join(stateDir, 'fill'), Buffer.alloc(4_096))),
      end: () => rm(path.join(stateDir, 'fill')),
    },
    {
      what: 'has no inodes left',
      reason: /ENOSPC/,
      begin: () => filled((round) => writeFile(path.join(stateDir, `inode-${round}`), '')),
      end: async () => {
        for (const name of await readdir(stateDir)) if (name.startsWith('inode-')) await rm(path.join(stateDir, name));
      },
    },
    {
      what: 'is read-only',
      reason: /EROFS/,
      begin: async () => mount('-o', 'remount,ro', stateDir),
      end: async () => mount('-o', 'remount,rw', stateDir),
    },
  ] as const;

  function mount(...args: string[]): void {
    const { status, stderr, error } = spawnSync('mount', args);
    if (status !== 0) throw new Error(error?.message ?? stderr.toString().trim());
  }
  async function filled(more: (round: number) => Promise<void>): Promise<void> {
    let isFull = false;
    for (let round = 0; round < 1_000 && !isFull; round++) isFull = await more(round).then(() => false, isEnospc);
    expect(isFull).toBe(true);
  }
  function isEnospc(error: unknown): true {
    expect(error).toMatchObject({ code: 'ENOSPC' });
    return true;
  }

  it.for(FAULTS)('$what: a command is refused and not run, and the record of before stays', async (fault, { skip }) => {
    try {
      mount('-t', 'tmpfs', '-o', 'size=256k,nr_inodes=64,mode=700', 'tmpfs', stateDir);
    } catch (error) {
      // Counted as skipped, with this reason; the lab fills the disk of a whole host (tests/e2e/support/disk-fault-suite.ts).
      return skip(`no small file system can be mounted here: ${String(error)}`);
    }
    try {
      const config = path.join(folder, 'agent.yaml');
      await mkdir(path.join(folder, 'root'));
      await writeFile(config, `mode: act\nroot: ${path.join(folder, 'root')}\n`, { mode: 0o600 });
      const ask = (one: ActionRequest) =>
        askHelper({ kind: 'act', config, stateDir, authority: commands.authority }, one);
      expect((await ask(command(1))).kind).toBe('result');
      const before = await readFile(file);
      await fault.begin();
      const refused = await ask(command(2));
      expect(refused).toMatchObject({ kind: 'rejected', code: 'command_unkept' });
      expect(refused.message).toMatch(fault.reason);
      expect(refused.message).toContain('begins none that it cannot note');
      expect(await readFile(file)).toEqual(before);
      expect(await readFile(path.join(stateDir, 'actions.journal'), 'utf8')).not.toContain(command(2).actionId);
      await fault.end();
      expect((await ask(command(2))).kind).toBe('result');
      expect((await FileNewestCommand.open(stateDir)).get()?.sequence).toBe(2);
      expect(await ask({ ...command(1), actionId: command(3).actionId })).toMatchObject({ kind: 'rejected' });
    } finally {
      spawnSync('umount', ['-l', stateDir]);
    }
  });
});

describe('a file that was damaged', () => {
  const bytesIn = fc.nat(10_000);
  const changes = fc.oneof(
    fc.record({ how: fc.constant('cut' as const), at: bytesIn }),
    fc.record({ how: fc.constant('zero' as const), at: bytesIn, length: fc.integer({ min: 1, max: 4_096 }) }),
    fc.record({ how: fc.constant('flip' as const), at: bytesIn, bit: fc.nat(7) }),
    // Of a digit becomes a digit or a blank: the file is good JSON still, and says another number.
    fc.record({ how: fc.constant('digit' as const), at: bytesIn, becomes: fc.constantFrom(...'0123456789 ') }),
    fc.record({ how: fc.constant('empty' as const) }),
  );
  type Change = typeof changes extends fc.Arbitrary<infer T> ? T : never;

  function changed(whole: Buffer, change: Change): Buffer {
    const bytes = Buffer.from(whole);
    switch (change.how) {
      case 'empty':
        return Buffer.alloc(0);
      case 'cut':
        return bytes.subarray(0, change.at % bytes.length);
      case 'zero':
        bytes
          .subarray(change.at % bytes.length)
          .subarray(0, change.length)
          .fill(0);
        return bytes;
      case 'flip':
        bytes[change.at % bytes.length] = (bytes[change.at % bytes.length] ?? 0) ^ (1 << change.bit);
        return bytes;
      case 'digit': {
        const digits = [...bytes.keys()].filter((at) => /\d/.test(String.fromCharCode(bytes[at] ?? 0)));
        bytes.write(change.becomes, digits[change.at % digits.length] ?? 0);
        return bytes;
      }
    }
  }

  it('lets no old command begin: it is refused by name, or says what was signed', async () => {
    const newest = command(4_711);
    await (await FileNewestCommand.open(stateDir)).keep(newest);
    const whole = await readFile(file);
    const old = command(4_710);
    const ends = { refused: 0, same: 0 };
    await fc.assert(
      fc.asyncProperty(changes, async (change) => {
        await writeFile(file, changed(whole, change));
        const found = await FileNewestCommand.open(stateDir).catch((error: unknown) => error);
        if (found instanceof HelperRefusal) {
          ends.refused++;
          expect(found).toMatchObject({ code: 'failed', message: expect.stringContaining(`${file} is damaged`) });
          return;
        }
        ends.same++;
        const kept = (found as FileNewestCommand).get();
        expect(kept === undefined ? 'none' : requestDigest(kept)).toEqual(requestDigest(newest));
        expect(complaintAboutOrder(old, kept, 'act')?.code).toBe('sequence_used');
      }),
      { seed: SEED, numRuns: MUTATIONS },
    );
    expect(ends.refused + ends.same).toBeGreaterThanOrEqual(MUTATIONS);
    expect(ends.refused).toBeGreaterThan(MUTATIONS / 2);
  });

  it('is told by the helper, which takes nothing, and left as it is', async () => {
    const config = path.join(folder, 'agent.yaml');
    await mkdir(path.join(folder, 'root'));
    await writeFile(config, `mode: act\nroot: ${path.join(folder, 'root')}\n`, { mode: 0o600 });
    await (await FileNewestCommand.open(stateDir)).keep(command(9));
    const older = (await readFile(file, 'utf8')).replace('"sequence": 9', '"sequence": 1');
    await writeFile(file, older);
    for (const kind of ['act', 'evidence'] as const) {
      const asked = askHelper({ kind, config, stateDir, authority: commands.authority }, command(2));
      await expect(asked).rejects.toThrow(`${file} is damaged: look at it, and move it away when you know`);
    }
    expect(await readFile(file, 'utf8')).toBe(older);
    await rm(file);
    const { kind } = await askHelper({ kind: 'act', config, stateDir, authority: commands.authority }, command(10));
    expect(kind).toBe('result');
  });
});
