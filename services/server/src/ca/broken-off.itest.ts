import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { localAudit } from '../audit/local-audit.ts';
import type { AuditService } from '../audit/audit.service.ts';
import { forgottenText, standingText } from '../commands/ca-text.ts';
import { readServerConfig, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { openServerKeys } from '../keys/keys.module.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { CaRotation, type CaStepOptions } from './ca-rotation.ts';
import type { CaStep } from './ca-set.machine.ts';
import { settleStep } from './ca-settle.ts';
import { openCaStore } from './ca-store.ts';

/* Steps of a rotation that break off, and what is left on the disk after steps in any order. No server runs. */

class Killed extends Error {}

let databaseUrl: string;
let database: DatabaseService;
onTestDatabase((url) => {
  databaseUrl = url;
  database = new DatabaseService({ databaseUrl: url, dbPoolSize: 4 });
  return Promise.resolve({ stop: () => database.onApplicationShutdown() });
});

let stateDir: string;
let config: ServerConfig;
let audit: AuditService;
beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'modfleet-broken-off-'));
  config = readServerConfig({ DATABASE_URL: databaseUrl, MODFLEET_STATE_DIR: stateDir });
  openServerKeys(config);
  await openCaStore({ folder: folder(), passphrase: undefined }, new Date());
  audit = await localAudit(config, database);
  await database.query('TRUNCATE replica CASCADE');
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

const folder = (): string => join(stateDir, 'ca');
const keyFiles = (): string[] => readdirSync(folder()).filter((name) => name.includes('.key'));
const rotation = (over: DatabaseService = database): CaRotation => new CaRotation(config, over, audit, 100);
async function go(...steps: (CaStep | 'forget')[]): Promise<void> {
  for (const step of steps) await (step === 'forget' ? rotation().forget() : rotation().take(step));
}
const show = async (): Promise<string> => standingText(await rotation().standing(), new Date());
const phase = async (): Promise<string> =>
  (await openCaStore({ folder: folder(), passphrase: undefined }, new Date())).set.phase;
async function recorded(): Promise<string[]> {
  const rows = await database.query<{ details: string }>(
    `SELECT details FROM audit.entry WHERE what = 'ca.rotate' AND replica_id IN (SELECT replica_id FROM audit_lane) ORDER BY at, number`,
  );
  return rows.map(({ details }) => (JSON.parse(details) as { step: string }).step);
}

/** The process ends when its nth transaction has committed. */
function killedAfterCommit(nth: number): DatabaseService {
  let left = nth;
  return new Proxy(database, {
    get(target, name) {
      if (name !== 'tx') {
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      }
      return async (...args: Parameters<DatabaseService['tx']>) => {
        const result = await target.tx(...args);
        if ((left -= 1) === 0) throw new Killed();
        return result;
      };
    },
  });
}

describe('forget', () => {
  it.each([
    ['two CAs were replaced', ['begin', 'issue', 'finish', 'begin', 'issue', 'finish'], 2],
    ['a later one was given up', ['begin', 'issue', 'finish', 'begin', 'back'], 1],
  ] as const)('erases every former CA’s key, also when %s', async (_name, steps, count) => {
    await go(...steps);
    expect(keyFiles()).toHaveLength(count + 1);
    expect(await rotation().forget()).toHaveLength(count);
    expect(keyFiles()).toHaveLength(1);
    await expect(rotation().forget()).rejects.toThrow('no key of a former CA is kept');
    expect(await show()).not.toContain('rotate forget');
  });

  it('says of a key only what is possible', async () => {
    await go('begin', 'issue', 'finish', 'begin', 'issue', 'finish');
    const [last, older] = (await show()).split('\n').filter((line) => line.startsWith('former'));
    expect(last).toContain('"rotate back" is possible, "rotate forget" erases it');
    expect(older).toContain('"rotate forget" erases it');
    expect(older).not.toContain('rotate back');
    await go('begin');
    expect(await show()).toContain('"rotate forget" erases it, once the rotation has ended');
    expect(await show()).not.toContain('rotate back" is possible');
    await go('back');
    const { set } = await rotation().standing();
    const { key } = set.former.find(({ id }) => id === set.current.vouchedBy?.id) ?? {};
    rmSync(join(folder(), key?.kind === 'own' ? key.file : ''));
    expect(await show()).toContain('key kept, and not usable');
    expect(await show()).not.toMatch(/^rotate back/m);
    await expect(rotation().take('back')).rejects.toThrow('is not usable');
  });
});

describe('the key of an operator’s CA', () => {
  it('is never called kept or erased by this server: it is theirs', async () => {
    const theirs = join(stateDir, 'theirs');
    await openCaStore({ folder: theirs, passphrase: undefined }, new Date());
    const [certFile, keyFile] = [join(theirs, 'ca.crt'), join(theirs, 'ca.key')];
    await rotation().take('begin', { given: { certFile, keyFile, passphraseFile: null } });
    await go('issue', 'finish', 'begin', 'issue', 'finish');
    const former = (await show()).split('\n').find((line) => line.startsWith('former'));
    expect(former).toContain(`key in ${keyFile}, a file of yours: "rotate back" is possible`);
    expect(former).toContain('"rotate forget" makes this server forget it');
    expect(former).not.toMatch(/key kept|erases/);
    const told = forgottenText(await rotation().forget());
    expect(told.split('\n')[0]).toContain(`a file of yours, and yours to erase: ${keyFile}`);
    expect(told.split('\n')[0]).not.toContain('is erased');
    expect(readdirSync(theirs)).toContain('ca.key');
    expect(await show()).not.toMatch(/former.*(kept|erased)/);
  });
});

describe('a step that breaks off', () => {
  it.each([
    ['begin', [], 'trust_both', 2],
    ['finish', ['begin', 'issue'], 'single', 2],
    ['back', ['begin'], 'single', 1],
    ['forget', ['begin', 'issue', 'finish'], 'single', 1],
  ] as const)('after its row was committed is finished by the next call: %s', async (step, before, after, keys) => {
    await go(...before);
    const text = readFileSync(join(folder(), 'set.json'), 'utf8');
    const cut = rotation(killedAfterCommit(1));
    await expect(step === 'forget' ? cut.forget() : cut.take(step)).rejects.toThrow(Killed);
    expect(readFileSync(join(folder(), 'set.json'), 'utf8')).toBe(text);
    expect((await recorded()).at(-1)).toBe(step);
    const told = await show();
    expect(told).toContain(`"rotate ${step}" was broken off after it was recorded, and is finished now`);
    expect([await phase(), keyFiles().length]).toEqual([after, keys]);
    expect(readdirSync(folder())).not.toContain('step.json');
    expect(await show()).not.toContain('broken off');
  });

  it('between set.json and the end of a key is finished by the next start', async () => {
    await go('begin', 'issue', 'finish');
    const copy = mkdtempSync(join(tmpdir(), 'modfleet-broken-off-copy-'));
    await expect(rotation(killedAfterCommit(1)).forget()).rejects.toThrow(Killed);
    cpSync(folder(), copy, { recursive: true });
    await settleStep(folder(), database);
    const set = readFileSync(join(folder(), 'set.json'), 'utf8');
    cpSync(copy, folder(), { recursive: true });
    writeFileSync(join(folder(), 'set.json'), set);
    rmSync(copy, { recursive: true });
    expect(keyFiles()).toHaveLength(2);
    expect(await settleStep(folder(), database)).toMatchObject({ end: 'finished', step: { step: 'forget' } });
    expect(keyFiles()).toHaveLength(1);
  });

  it('before its row was committed is no step, and leaves nothing', async () => {
    const count = (await recorded()).length;
    const copy = mkdtempSync(join(tmpdir(), 'modfleet-broken-off-copy-'));
    const record = audit.record.bind(audit);
    audit.record = async (...args) => {
      await record(...args);
      cpSync(folder(), copy, { recursive: true });
      throw new Killed();
    };
    await expect(rotation().take('begin')).rejects.toThrow(Killed);
    expect([keyFiles().length, readdirSync(folder()).includes('step.json')]).toEqual([1, false]);
    // As SIGKILL leaves it, which nobody catches.
    cpSync(copy, folder(), { recursive: true });
    rmSync(copy, { recursive: true });
    expect(keyFiles()).toHaveLength(2);
    audit.record = record;
    expect(await show()).toContain('was broken off before it was recorded: it was not taken');
    expect([await phase(), keyFiles().length, (await recorded()).length]).toEqual(['single', 1, count]);
  });

  it('while it waits for the servers has its row, and no transaction is open', async () => {
    await database.query(
      `INSERT INTO replica (id, name, ca_generation, ca_phase, beat_at) VALUES (gen_random_uuid(), 'r1', 1, 'single', now())`,
    );
    const count = (await recorded()).length;
    const seen: unknown[] = [];
    const options: CaStepOptions = { onWritten: () => void seen.push('written') };
    const cut = new CaRotation(config, database, audit, 2_000);
    const taking = cut.take('begin', options);
    while (seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await recorded()).toHaveLength(count + 1);
    const open = await database.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
    );
    expect(open).toEqual([]);
    await taking;
  });
});

describe('two steps at once', () => {
  it('are one: the other was asked for in a phase that is over', async () => {
    await go('begin', 'issue');
    const both = await Promise.allSettled([rotation().take('back'), rotation().take('back')]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const refused = both.find((each) => each.status === 'rejected');
    expect(String(refused?.reason)).toMatch(/asked for in issue_new.*it is trust_both/);
    expect(await phase()).toBe('trust_both');
  });
});

describe('key files that nothing names', () => {
  it('are removed when the store is opened, but for one that is newer than the set', async () => {
    await go('begin', 'back');
    const old = join(folder(), 'ca-0123456789abcdef.key');
    const draft = join(folder(), 'ca-0123456789abcdef.key.77.0badcafe');
    const others = ['root.key', 'ca-mine.key'].map((name) => join(folder(), name));
    for (const file of [old, draft, ...others]) {
      writeFileSync(file, 'x');
      utimesSync(file, 1, 1);
    }
    const young = join(folder(), 'ca-00000000000000ff.key');
    writeFileSync(young, 'x');
    expect(await show()).toContain(`${young} is the key of no CA in set.json, and newer than that`);
    expect(keyFiles().toSorted()).toEqual(['ca-00000000000000ff.key', 'ca-mine.key', 'ca.key', 'root.key']);
  });
});

describe('a passphrase', () => {
  it('encrypts the keys of former CAs, too', async () => {
    await go('begin', 'issue', 'finish', 'begin', 'issue', 'finish');
    await openCaStore({ folder: folder(), passphrase: 'long and random, as it should be' }, new Date());
    for (const file of keyFiles())
      expect(readFileSync(join(folder(), file), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY');
    expect(keyFiles()).toHaveLength(3);
  });
});
