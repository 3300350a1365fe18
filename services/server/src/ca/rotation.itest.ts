import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MemoryIdentityStore } from '../../../../agent/src/identity/memory-identity-store.ts';
import { LiveAgent, type LiveServer } from '../../../../agent/src/testing/live-agent.ts';
import { localSource } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { JoinTokenService } from '../enrollment/join-token.service.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { liveServer } from '../testing/live-server.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { CaRotation, type CaStepOptions, type CaStepTaken } from './ca-rotation.ts';
import type { CaStep } from './ca-set.machine.ts';
import { CaWatch } from './ca-watch.service.ts';
import type { GivenCa } from './given-ca.ts';
import { certificatePem, issue, spkiOf, x509 } from './x509.ts';

/** A rotation is many steps, each with transactions: on a busy machine one of them waits longer for a connection than a caller of the API should. */
const PATIENT = { dbConnectTimeoutMs: 30_000, rateJoinsPerSecond: 0 };

/** A server, and hosts with the real agent's identity and session. */
describe('a rotation of the CA', { timeout: 240_000 }, () => {
  let postgres: TestPostgres;
  let url: string;
  let stateDir: string;
  let side: AgentSide;
  const agents: LiveAgent[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });
  afterAll(() => postgres.close());
  beforeEach(async () => {
    ({ url } = await postgres.createDatabase());
    stateDir = mkdtempSync(join(tmpdir(), 'modfleet-rotation-'));
    side = await AgentSide.start(url, { stateDir, config: PATIENT });
  });
  afterEach(async () => {
    await Promise.all(agents.splice(0).map((agent) => agent.sleep()));
    await side.stop();
    rmSync(stateDir, { recursive: true, force: true });
  });

  const here = (): LiveServer => liveServer(side);
  const joinString = (): Promise<string> =>
    side.database.tx('READ COMMITTED', async (sql) => {
      const wanted = { maxUses: 9, expiresInSeconds: 3600, createdBy: 'test' };
      return (await side.app.get(JoinTokenService).create(sql, wanted, localSource())).joinString;
    });
  async function joined(name: string, word?: string): Promise<LiveAgent> {
    const store = new MemoryIdentityStore();
    const withString = word ?? (await joinString());
    // As the agent's own loop: a connection may be lost on a busy machine, and joining again with the same key is safe.
    const agent = await comesTrue(() => LiveAgent.join(name, withString, here, store));
    agents.push(agent);
    return agent;
  }
  async function awake(name: string, word?: string): Promise<LiveAgent> {
    const agent = await joined(name, word);
    await agent.wake();
    await connected(agent);
    return agent;
  }
  async function connected(agent: LiveAgent): Promise<void> {
    await comesTrue(async () => {
      const [row] = await side.database.query<{ live: boolean }>(
        'SELECT p.live FROM host h JOIN session_presence p ON p.host_id = h.id WHERE h.name = $1 AND p.replica_id = $2',
        [agent.name, replicaId()],
      );
      expect(row?.live, agent.lines.join('\n')).toBe(true);
    });
  }
  const replicaId = (): string => side.app.get<string>(REPLICA_ID);
  async function restart(): Promise<void> {
    await side.stop();
    side = await AgentSide.start(url, { stateDir, config: PATIENT });
  }
  const rotation = (waitMs = 20_000): CaRotation =>
    new CaRotation(side.app.get<ServerConfig>(SERVER_CONFIG), side.database, side.app.get(AuditService), waitMs);
  async function step(name: CaStep, options?: CaStepOptions): Promise<CaStepTaken> {
    // The server looks at the disk every 2 s by itself; here it is asked to.
    const poll = setInterval(() => void side.app.get(CaWatch).check(), 50);
    try {
      return await rotation().take(name, options);
    } finally {
      clearInterval(poll);
    }
  }
  interface HostTrust {
    readonly trusted: string[];
    readonly issuer: string;
  }
  async function trustOf(name: string): Promise<HostTrust | undefined> {
    const [row] = await side.database.query<HostTrust>(
      'SELECT trusted_cas AS trusted, certificate_ca AS issuer FROM host WHERE name = $1',
      [name],
    );
    return row;
  }
  /** Waits until the host says that it trusts these and has a certificate by the first. */
  async function trusts(agent: LiveAgent, ...cas: string[]): Promise<void> {
    await comesTrue(async () => {
      expect(await trustOf(agent.name), agent.lines.join('\n')).toEqual({
        trusted: cas.toSorted(),
        issuer: cas[0],
      });
    });
  }
  const current = (): string => side.ca.set.current.id;

  it('goes through its phases, and every host with it; a restart of the server and of a host in each', async () => {
    const host = await awake('web-1');
    const old = current();
    await trusts(host, old);

    const begun = await step('begin');
    expect(begun).toMatchObject({ behind: [], replicas: [{ phase: 'trust_both' }] });
    const next = begun.set.next?.id ?? '';
    await trusts(host, old, next);
    await restart();
    await connected(host);
    await host.sleep();
    await host.wake();
    await connected(host);

    await step('issue');
    await trusts(host, next, old);
    expect(
      new X509Certificate((await host.store.load())?.certificatePem ?? '').verify(publicKeyOf(side.ca.certificate)),
    ).toBe(true);
    await restart();
    await connected(host);
    await host.sleep();
    await host.wake();
    await connected(host);

    await step('finish');
    await trusts(host, next);
    expect(current()).toBe(next);
    await restart();
    await connected(host);
    await host.sleep();
    await host.wake();
    await connected(host);
    await trusts(host, next);
    expect(await rotation().standing()).toMatchObject({ hosts: { hosts: 1, both: 1 }, set: { phase: 'single' } });
    const audited = await side.database.query<{ details: string }>(
      `SELECT details FROM audit.entry WHERE what = 'ca.rotate' AND actor_kind = 'local' ORDER BY at`,
    );
    expect(audited.map(({ details }) => (JSON.parse(details) as { step: string }).step)).toEqual([
      'begin',
      'issue',
      'finish',
    ]);
  });

  it('takes every step back, and hosts follow', async () => {
    const host = await awake('web-1');
    const old = current();
    const abandoned = (await step('begin')).set.next?.id ?? '';
    await trusts(host, old, abandoned);
    await step('back');
    await trusts(host, old);
    expect(readdirSync(join(stateDir, 'ca')).filter((name) => name.endsWith('.key'))).toEqual(['ca.key']);

    const next = (await step('begin')).set.next?.id ?? '';
    await trusts(host, old, next);
    await step('issue');
    await trusts(host, next, old);
    const late = await awake('late-1');
    await trusts(late, next, old);
    await step('back');
    for (const each of [host, late]) await trusts(each, old, next);
    await step('issue');
    for (const each of [host, late]) await trusts(each, next, old);
    await step('finish');
    for (const each of [host, late]) await trusts(each, next);

    await step('back');
    for (const each of [host, late]) await trusts(each, next, old);
    await step('back');
    for (const each of [host, late]) await trusts(each, old, next);
    await restart();
    for (const each of [host, late]) await connected(each);
    await step('back');
    for (const each of [host, late]) await trusts(each, old);
    expect(side.ca.set.former).toMatchObject([{ id: next, why: 'abandoned', key: null }, { id: abandoned }]);
    await expect(step('back')).rejects.toThrow('never rotated');
  });

  it('lets machines join in every phase, by join strings of that phase and of those before', async () => {
    const words = [await joinString()];
    const join = async (phase: string): Promise<void> => {
      words.push(await joinString());
      const machines = await Promise.all(words.map((word, index) => awake(`${phase}-${index}`, word)));
      for (const agent of machines) await trusts(agent, ...side.ca.trusted.map((ca) => ca.id));
      await Promise.all(machines.map((agent) => agent.sleep()));
    };
    await join('single');
    await step('begin');
    await join('both');
    await step('issue');
    await join('new');
    await step('back', { strand: 99 });
    await join('back');
    await step('issue', { strand: 99 });
    await step('finish', { strand: 99 });
    await join('finished');
    await step('back');
    await join('again');
  });

  it('gets hosts back that slept through one phase, through all, and through two rotations', async () => {
    const sleepers = await Promise.all(['slept-all', 'slept-twice', 'slept-issue'].map((name) => awake(name)));
    const [all, twice, late] = sleepers as [LiveAgent, LiveAgent, LiveAgent];
    await Promise.all([all.sleep(), twice.sleep()]);
    const gone = (name: string) => comesTrue(async () => expect(await isLive(name)).toBe(false));
    await Promise.all(['slept-all', 'slept-twice'].map(gone));
    const first = current();
    const second = (await step('begin')).set.next?.id ?? '';
    await trusts(late, first, second);
    await late.sleep();
    await gone('slept-issue');
    // Those that sleep find their way: they do not keep the new CA from issuing.
    await step('issue');
    await late.wake();
    await trusts(late, second, first);
    await late.sleep();
    await gone('slept-issue');
    const refused = await step('finish').catch((error: Error) => error.message);
    expect(refused).toContain('would leave 2 hosts behind');
    expect(refused).toContain('slept-all (silent since');
    expect(refused).toContain('--strand 2');
    await step('finish', { strand: 2 });
    await late.wake();
    await trusts(late, second);

    await all.wake();
    await trusts(all, second);
    expect(all.lines.join('\n')).toContain('was renewed');

    const third = (await step('begin')).set.next?.id ?? '';
    await trusts(late, second, third);
    await trusts(all, second, third);
    await step('issue');
    await trusts(late, third, second);
    await trusts(all, third, second);
    await step('finish', { strand: 1 });
    await twice.wake();
    await trusts(twice, third);
    await rotation().forget();
    expect(readdirSync(join(stateDir, 'ca')).filter((name) => name.endsWith('.key'))).toHaveLength(1);
    await expect(step('back')).rejects.toThrow('was erased');
  });

  it('names hosts whose agents are too old to follow, and goes on only when told how many', async () => {
    await side.host('old-agent');
    await step('begin');
    const refused = await step('issue').catch((error: Error) => error.message);
    expect(refused).toContain('would leave 1 host behind');
    expect(refused).toContain('old-agent (silent since it joined)');
    expect(side.ca.set.phase).toBe('trust_both');
    await expect(step('issue', { strand: 0 })).rejects.toThrow('--strand 1');
    expect((await step('issue', { strand: 1 })).leftBehind).toMatchObject({ count: 1, hosts: [{ name: 'old-agent' }] });
  });

  it('goes over to a CA of the operator, of whatever name, and from that to one of its own', async () => {
    const host = await awake('web-1');
    const sleeper = await awake('slept-all');
    await sleeper.sleep();
    const old = current();
    const given = await operatorsCa(stateDir);
    const begun = await step('begin', { given });
    const id = begun.set.next?.id ?? '';
    expect(begun.notes).toEqual([expect.stringContaining('The new CA has another name (CN=Example Root)')]);
    await trusts(host, old, id);
    await step('issue', { strand: 1 });
    await trusts(host, id, old);
    await step('finish', { strand: 1 });
    await trusts(host, id);
    await restart();
    await connected(host);
    await sleeper.wake();
    await trusts(sleeper, id);
    await expect(step('begin', { given })).rejects.toThrow('is in use already');

    const own = (await step('begin')).set.next?.id ?? '';
    for (const each of [host, sleeper]) await trusts(each, id, own);
    await step('issue');
    await trusts(host, own, id);
    await trusts(sleeper, own, id);
    await step('finish');
    await trusts(host, own);
    await expect(step('begin', { given })).rejects.toThrow('was in use before');
  });

  it('takes over nothing that it cannot use, and says so', async () => {
    const host = await awake('web-1');
    const file = join(stateDir, 'ca/set.json');
    const good = readFileSync(file, 'utf8');
    const watch = side.app.get(CaWatch);
    writeFileSync(file, good.slice(0, 100));
    await watch.check();
    expect(watch.problem).toContain('set.json is damaged or from a newer server');
    writeFileSync(file, good.replace('"ca.key"', '"ca-0123456789abcdef.key"'));
    await watch.check();
    expect(watch.problem).toContain('ca-0123456789abcdef.key is missing');
    await host.sleep();
    await host.wake();
    await connected(host);
    writeFileSync(file, good);
    await watch.check();
    expect(watch.problem).toBeUndefined();
  });

  it('keeps hosts on servers that are one step apart, and takes no step before all are there', async () => {
    const copy = mkdtempSync(join(tmpdir(), 'modfleet-rotation-copy-'));
    cpSync(join(stateDir, 'ca'), join(copy, 'ca'), { recursive: true });
    const other = await AgentSide.start(url, { stateDir: copy, config: PATIENT });
    const first = side;
    try {
      const host = await awake('web-1');
      const begun = await new CaRotation(
        first.app.get<ServerConfig>(SERVER_CONFIG),
        first.database,
        first.app.get(AuditService),
        500,
      ).take('begin');
      expect(begun.behind.length).toBeGreaterThan(0);
      await first.app.get(CaWatch).check();
      await expect(rotation(500).take('issue')).rejects.toThrow(/Not every server works with.*single, generation 1/);
      for (const phase of ['issue', 'finish'] as const) {
        await trusts(host, ...first.ca.trusted.map((ca) => ca.id));
        // The host moves between a server that has the change and one that has not.
        for (const there of [other, first]) {
          await host.sleep();
          side = there;
          await host.wake();
          await connected(host);
        }
        cpSync(join(stateDir, 'ca'), join(copy, 'ca'), { recursive: true });
        await other.app.get(CaWatch).check();
        const standing = await comesTrue(async () => {
          const now = await rotation(500).standing();
          expect(now.replicas.map((each) => each.generation)).toEqual([now.set.generation, now.set.generation]);
          return now;
        });
        expect(standing.steps.map((each) => each.count)).toEqual([0, 0]);
        await new CaRotation(
          first.app.get<ServerConfig>(SERVER_CONFIG),
          first.database,
          first.app.get(AuditService),
          100,
        ).take(phase);
        await first.app.get(CaWatch).check();
      }
    } finally {
      side = first;
      await Promise.all(agents.splice(0).map((agent) => agent.sleep()));
      await other.stop();
      rmSync(copy, { recursive: true, force: true });
    }
  });

  async function isLive(name: string): Promise<boolean> {
    const [row] = await side.database.query<{ live: boolean }>(
      'SELECT coalesce(p.live, false) AS live FROM host h LEFT JOIN session_presence p ON p.host_id = h.id WHERE h.name = $1',
      [name],
    );
    return row?.live === true;
  }
});

/** As openssl makes one: a name, no path length. */
async function operatorsCa(folder: string): Promise<GivenCa> {
  const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const terms = {
    subject: 'CN=Example Root',
    lifeMs: 3650 * 86_400_000,
    now: new Date(),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  };
  const { der } = await issue(terms, spkiOf(key), { name: terms.subject, spki: spkiOf(key), key });
  const given = { certFile: join(folder, 'root.crt'), keyFile: join(folder, 'root.key'), passphraseFile: null };
  writeFileSync(given.certFile, certificatePem(der));
  writeFileSync(given.keyFile, key.export({ type: 'pkcs8', format: 'pem' }));
  return given;
}

function publicKeyOf(der: Buffer): X509Certificate['publicKey'] {
  return new X509Certificate(der).publicKey;
}
