import { spawn } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { complaintAboutSignature, trustBundleBytes } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRequest } from '../actions/testing/builders.ts';
import { QuietLog } from '../actions/testing/simulated-host.ts';
import { NodeExec } from '../exec/node-exec.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { HelperRefusal } from './helper-refusal.ts';
import { admitHost, keepHostId } from './host-id.ts';
import { refuseForeignFiles } from './own-files.ts';
import { readSafeSettings, whyUnsafe } from './safe-settings.ts';
import { FileNewestCommand } from './newest-command.ts';
import { takeTurn } from './state-turn.ts';
import { admitCas, keepCas, keptCas, learnCas } from './trusted-cas.ts';

const HOST = '00000000-0000-4000-8000-000000000001';
const OTHER = '00000000-0000-4000-8000-000000000002';
const isRoot = process.geteuid?.() === 0;
const code = (error: unknown): string => (error instanceof HelperRefusal ? error.code : String(error));

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-helper-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the host that this machine is', () => {
  it('is the first that is told, and from then on no other', async () => {
    await admitHost(folder, HOST, undefined);
    await admitHost(folder, HOST, undefined);
    await expect(admitHost(folder, OTHER, undefined).catch(code)).resolves.toBe('wrong_host');
    expect((await stat(path.join(folder, 'host-id'))).mode & 0o777).toBe(0o600);
  });

  it('is another one when root says so, or whoever started the helper as itself', async () => {
    await keepHostId(folder, HOST);
    await keepHostId(folder, OTHER);
    await admitHost(folder, OTHER, undefined);
    await admitHost(folder, HOST, HOST);
    await expect(admitHost(folder, OTHER, HOST).catch(code)).resolves.toBe('wrong_host');
    expect(await readFile(path.join(folder, 'host-id'), 'utf8')).toBe(`${OTHER}\n`);
  });

  it('is not guessed from a damaged file', async () => {
    await writeFile(path.join(folder, 'host-id'), 'x');
    await expect(admitHost(folder, HOST, undefined).catch(code)).resolves.toBe('failed');
  });
});

describe('the CAs that this machine believes', () => {
  it('are those that are told first, and from then on only root changes them', async () => {
    const [first, second] = [await TestCommands.create(1), await TestCommands.create(1)];
    expect(await keptCas(folder)).toBeUndefined();
    await admitCas(folder, []);
    expect(await keptCas(folder)).toBeUndefined();
    await admitCas(folder, [first.authority]);
    const admitted = await admitCas(folder, [second.authority]);
    expect(admitted.cas.map((ca) => ca.fingerprint256)).toEqual([first.authority.fingerprint256]);
    expect((await stat(path.join(folder, 'trusted-cas.pem'))).mode & 0o777).toBe(0o600);
    await keepCas(folder, { generation: 7, cas: [second.authority, first.authority] });
    const both = await keptCas(folder);
    expect(both?.generation).toBe(7);
    expect(both?.cas.map((ca) => ca.fingerprint256)).toEqual([
      second.authority.fingerprint256,
      first.authority.fingerprint256,
    ]);
  });

  it('are read from a list without a number, as it was written before rotations', async () => {
    const { authority } = await TestCommands.create(1);
    await writeFile(path.join(folder, 'trusted-cas.pem'), authority.toString());
    expect((await keptCas(folder))?.generation).toBe(0);
  });

  it('stay those of before where another list cannot be kept', async () => {
    const [first, second] = [await TestCommands.create(1), await TestCommands.create(1)];
    const trust = await admitCas(folder, [first.authority]);
    // A folder in the place of the draft: nothing can be written there.
    await mkdir(path.join(folder, `trusted-cas.pem.${process.pid}.tmp`, 'x'), { recursive: true });
    const caCertificates = [first.authority.raw, second.authority.raw];
    const signature = first.ca.sign(trustBundleBytes(2, caCertificates));
    const bundle = { generation: 2, caCertificates, vouchingCertificates: [], signature, spreadMs: 0 };
    const learn = () => learnCas(trust, bundle, new QuietLog(), (next) => keepCas(folder, next));
    expect(await learn()).toBe(trust);
    expect((await keptCas(folder))?.cas).toHaveLength(1);
    await rm(path.join(folder, `trusted-cas.pem.${process.pid}.tmp`), { recursive: true });
    expect((await learn()).cas).toHaveLength(2);
    expect(await keptCas(folder)).toMatchObject({ generation: 2, cas: [{}, {}] });
  });

  it('are not guessed from a damaged file, nor from a certificate of no CA', async () => {
    const commands = await TestCommands.create(1);
    for (const text of [
      '',
      'x',
      `generation x\n${commands.authority.toString()}`,
      new X509Certificate(commands.certificate(1)).toString(),
    ]) {
      await writeFile(path.join(folder, 'trusted-cas.pem'), text);
      await expect(admitCas(folder, [commands.authority]).catch(code)).resolves.toBe('failed');
    }
  });
});

describe('the newest command', () => {
  const now = Date.now();
  const request = { epoch: 3, sequence: 41, notBeforeMs: now, expiresAtMs: now + 1, parameters: ['a=1'] };

  it('is there again after a crash, as the server signed it', async () => {
    const commands = await TestCommands.create();
    const signed = commands.sign(aRequest(request));
    const store = await FileNewestCommand.open(folder);
    expect(store.get()).toBeUndefined();
    await store.keep({ ...signed, sentBefore: true });
    const again = (await FileNewestCommand.open(folder)).get();
    expect(again).toEqual(signed);
    expect(again === undefined ? 'none' : complaintAboutSignature(again, [commands.authority])).toBeUndefined();
    expect((await stat(path.join(folder, 'newest-command.json'))).mode & 0o777).toBe(0o600);
  });

  it('stays the one before where it cannot be kept', async () => {
    const signed = (await TestCommands.create()).sign(aRequest(request));
    const store = await FileNewestCommand.open(folder);
    await store.keep(signed);
    // A folder in the place of the draft: nothing can be written there.
    await mkdir(path.join(folder, `newest-command.json.${process.pid}.tmp`, 'x'), { recursive: true });
    await expect(store.keep({ ...signed, sequence: 42 })).rejects.toThrow(/EISDIR|directory/);
    expect(store.get()?.sequence).toBe(41);
    expect((await FileNewestCommand.open(folder)).get()?.sequence).toBe(41);
  });

  it('is not guessed from a damaged file: old commands would be new', async () => {
    for (const text of ['', '{', '{"epoch":"x"}', JSON.stringify({ actionId: 'x', epoch: 1 })]) {
      await writeFile(path.join(folder, 'newest-command.json'), text);
      await expect(FileNewestCommand.open(folder).catch(code)).resolves.toBe('failed');
    }
  });
});

describe('settings', () => {
  it('are safe where only their owner can write, and that is root or the helper itself', () => {
    expect(whyUnsafe({ uid: 0, mode: 0o100644 }, 0)).toBeUndefined();
    expect(whyUnsafe({ uid: 1000, mode: 0o100600 }, 1000)).toBeUndefined();
    expect(whyUnsafe({ uid: 990, mode: 0o100600 }, 0)).toContain('belongs to user 990');
    expect(whyUnsafe({ uid: 0, mode: 0o100664 }, 0)).toContain('chmod go-w');
    expect(whyUnsafe({ uid: 0, mode: 0o100646 }, 0)).toContain('chmod go-w');
  });

  it.runIf(isRoot)('are refused when the file or its folder can be written by others', async () => {
    const file = path.join(folder, 'agent.yaml');
    await writeFile(file, 'mode: act\n', { mode: 0o644 });
    expect((await readSafeSettings(file, 0)).mode).toBe('act');
    await chmod(file, 0o666);
    await expect(readSafeSettings(file, 0).catch(code)).resolves.toBe('unsafe_settings');
    await chmod(file, 0o644);
    await chmod(folder, 0o777);
    await expect(readSafeSettings(file, 0).catch(code)).resolves.toBe('unsafe_settings');
  });

  it('are refused when they cannot be read or understood', async () => {
    const file = path.join(folder, 'agent.yaml');
    await expect(readSafeSettings(file, 1).catch(code)).resolves.toBe('unsafe_settings');
    await writeFile(file, 'mdoe: act\n');
    await expect(readSafeSettings(file, 1).catch(String)).resolves.toContain('mdoe');
  });
});

it.runIf(isRoot)('a journal that is not of root is not used', async () => {
  await refuseForeignFiles(folder, 0);
  const journal = path.join(folder, 'actions.journal');
  await writeFile(journal, '');
  await refuseForeignFiles(folder, 0);
  await chown(journal, 65_534, 65_534);
  await expect(refuseForeignFiles(folder, 0).catch(code)).resolves.toBe('failed');
});

it('one helper at a time has the state; the next gets it when the first has gone', async () => {
  const exec = new NodeExec();
  const first = await takeTurn(exec, folder, new AbortController().signal);
  await expect(takeTurn(exec, folder, AbortSignal.abort()).catch(code)).resolves.toBe('busy');
  const second = takeTurn(exec, folder, new AbortController().signal);
  await first.release();
  await (await second).release();
});

it('no turn without a lock: a missing program and an unusable folder are named', async () => {
  const { signal } = new AbortController();
  const words = (error: unknown): string => (error instanceof HelperRefusal ? error.message : String(error));
  const without = takeTurn(new NodeExec({ folders: [] }), folder, signal).catch(words);
  await expect(without).resolves.toContain('flock is not installed');
  await writeFile(path.join(folder, 'file'), '');
  const unusable = takeTurn(new NodeExec(), path.join(folder, 'file'), signal).catch(words);
  await expect(unusable).resolves.toContain(path.join(folder, 'file'));
});

it.runIf(isRoot)('no other user can take the turn, whatever sockets it binds', async () => {
  const name = createHash('sha256').update(folder).digest('hex').slice(0, 32);
  const script = `require('net').createServer().listen('\\0modfleet-helper-${name}', () => console.log('bound'))`;
  const stranger = spawn(process.execPath, ['-e', script], { uid: 65_534, gid: 65_534, cwd: '/' });
  await once(stranger.stdout, 'data');
  const turn = await takeTurn(new NodeExec(), folder, new AbortController().signal);
  await turn.release();
  stranger.kill();
});
