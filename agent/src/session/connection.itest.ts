import { randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ActionRequest, Facet, HostFacts, IdentityStatus, Welcome, formatJoinString } from '@modfleet/proto';
import type { SessionRequest } from '@modfleet/proto';
import { makeCertificateRequest } from '../identity/certificate-request.ts';
import { asking, CertificateKeeper } from '../identity/certificate-keeper.ts';
import { loadOrMakeKey } from '../identity/host-key.ts';
import type { HostIdentity } from '../identity/host-identity.ts';
import { askIdentityService } from '../identity/identity-questions.ts';
import { joinHost } from '../identity/join-host.ts';
import { TrustKeeper } from '../identity/trust-keeper.ts';
import { KeptIdentity } from '../identity/kept-identity.ts';
import { MemoryIdentityStore } from '../identity/memory-identity-store.ts';
import { createLog } from '../log.ts';
import { FakeServer } from '../testing/fake-server.ts';
import type { ServerStream } from '../testing/fake-server.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { HostBootClock } from '../time/boot-clock.ts';
import { OffsetServerClock } from '../time/server-clock.ts';
import { connectSession } from './h2-transport.ts';
import { SessionSupervisor } from './supervisor.ts';
import { FakeEngine } from './testing/fake-engine.ts';
import { FakeInventory, loadedSnapshot } from './testing/fake-inventory.ts';

let authority: TestAuthority;
let server: FakeServer;
let identity: HostIdentity;
let key: string;
let store: MemoryIdentityStore;
let folder: string;

beforeEach(async () => {
  authority = await TestAuthority.create();
  server = new FakeServer(authority);
  await server.start(await authority.server());
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-session-'));
  store = new MemoryIdentityStore();
  identity = await joinHost({
    server: { host: '127.0.0.1', port: server.identityPort },
    joinString: formatJoinString({ token: `mfj_${'t'.repeat(43)}`, caFingerprint: authority.fingerprint }),
    facts: HostFacts.fromPartial({}),
    store,
    makeRequest: makeCertificateRequest,
  });
  key = await loadOrMakeKey(store);
});

afterEach(async () => {
  server.stop();
  await rm(folder, { recursive: true });
});

/** A supervisor over a real connection, and what it logs. */
function supervise(
  inventory = new FakeInventory(loadedSnapshot('floppy')),
  engine = new FakeEngine(),
  wallClock: () => number = Date.now,
) {
  const lines: { readonly msg: string; readonly retryInMs?: number }[] = [];
  const waiting: { readonly pattern: RegExp; readonly found: (line: (typeof lines)[number]) => void }[] = [];
  const log = createLog('info', (text) => {
    const line = JSON.parse(text) as (typeof lines)[number];
    lines.push(line);
    for (const waiter of waiting) if (waiter.pattern.test(line.msg)) waiter.found(line);
  });
  const bootClock = new HostBootClock();
  const serverClock = new OffsetServerClock(bootClock);
  const kept = new KeptIdentity(store, identity, key, bootClock, wallClock);
  const keeper = new CertificateKeeper({
    kept,
    ask: asking(askIdentityService, { host: '127.0.0.1', port: server.identityPort }),
    readBootId: () => Promise.resolve('b1'),
    bootClock,
    serverClock,
    log,
    random: () => 0.5,
    onRenewed: (withinMs) => supervisor.certificateRenewed(withinMs),
  });
  const supervisor = new SessionSupervisor({
    trust: new TrustKeeper({ kept, log, onTaken: () => undefined }),
    inventory,
    engine,
    bootClock,
    serverClock,
    log,
    random: () => 0.01,
    readFacts: () => Promise.resolve(HostFacts.fromPartial({ hostname: 'h1' })),
    connect: () => Promise.resolve(connectSession({ host: '127.0.0.1', port: server.sessionPort }, kept.credentials())),
    inquire: () => keeper.inquire(),
    clockAheadMs: () => kept.clockAheadMs(),
  });
  const logged = (pattern: RegExp) => {
    const line = lines.find(({ msg }) => pattern.test(msg));
    return line === undefined
      ? new Promise<(typeof lines)[number]>((found) => waiting.push({ pattern, found }))
      : Promise.resolve(line);
  };
  return { supervisor, inventory, engine, serverClock, kept, keeper, lines, logged, run: supervisor.run() };
}

/** Answers Hello with Welcome, and hands every later message to `onMessage`. */
function welcoming(
  onMessage: (message: NonNullable<SessionRequest['message']>, stream: ServerStream) => void,
  wanted: Facet[] = [],
) {
  return (stream: ServerStream): void => {
    stream.on('error', () => undefined);
    stream.on('end', () => stream.end());
    stream.on('data', ({ message }: SessionRequest) => {
      if (message?.$case === 'hello') {
        const value = Welcome.fromPartial({
          serverTimeMs: Date.now(),
          sessionNo: 1,
          heartbeatIntervalMs: 1000,
          pollIntervalMs: 1000,
          facetIntervalMs: 1000,
          wanted,
        });
        stream.write({ message: { $case: 'welcome', value } });
      }
      if (message !== undefined) onMessage(message, stream);
    });
  };
}

describe('a supervised session over gRPC', () => {
  it('reports what the server lacks, and then what changes', async () => {
    const updates: string[] = [];
    const changed = new Promise<void>((resolve) => {
      server.onStream = welcoming(
        (message) => {
          if (message.$case !== 'facetUpdate') return;
          updates.push(message.value.content?.$case ?? '');
          if (updates.length === 1) inventory.observe(loadedSnapshot('floppy', 'dummy'));
          else resolve();
        },
        [Facet.FACET_LOADED],
      );
    });
    const { supervisor, inventory, run, serverClock } = supervise();
    await changed;
    expect(updates).toEqual(['whole', 'delta']);
    expect(Math.abs((serverClock.now()?.ms ?? 0) - Date.now())).toBeLessThan(2000);
    supervisor.stop();
    await run;
  });

  it('comes back after the server was away, and tells the events that it missed', async () => {
    server.onStream = welcoming(() => undefined);
    const { supervisor, inventory, logged, run } = supervise();
    await logged(/^connected$/);
    server.stop();
    await logged(/the connection broke/);
    inventory.tell({ events: [{ kmod: 'dummy', kind: 1, ageMs: 0, actionId: '', source: 'uevent' }], lost: false });
    const told = new Promise<string>((resolve) => {
      const back = new FakeServer(authority);
      back.identityPort = server.identityPort;
      back.sessionPort = server.sessionPort;
      back.onStream = welcoming((message) => {
        if (message.$case === 'kmodEvents') resolve(message.value.events.map(({ kmod }) => kmod).join());
      });
      server = back;
    });
    await server.start(await authority.server());
    await expect(told).resolves.toBe('dummy');
    supervisor.stop();
    await run;
  });

  it('goes when asked to, and comes back not before the time', async () => {
    let streams = 0;
    const came: number[] = [];
    const again = new Promise<void>((resolve) => {
      server.onStream = (stream) => {
        came.push(performance.now());
        streams += 1;
        if (streams === 2) resolve();
        welcoming((message, open) => {
          if (message.$case === 'hello' && streams === 1)
            open.write({ message: { $case: 'reconnect', value: { afterMs: 300, reason: 'overload' } } });
        })(stream);
      };
    });
    const { supervisor, run } = supervise();
    await again;
    expect((came[1] ?? 0) - (came[0] ?? 0)).toBeGreaterThanOrEqual(300);
    supervisor.stop();
    await run;
  });

  it('asks what is wrong after a failed handshake, says it in words, and does not storm when only a person can help', async () => {
    server.diagnosis = IdentityStatus.IDENTITY_STATUS_DELETED;
    const other = await TestAuthority.create();
    const { identityPort } = server;
    // The session listener of another fleet: TLS fails, and TLS does not say why.
    const stranger = new FakeServer(other);
    await stranger.start(await other.server());
    server.sessionPort = stranger.sessionPort;
    const { supervisor, logged, run } = supervise();
    await logged(/retired on the server, and ids are never reused/);
    const line = await logged(/^no session/);
    expect(server.identityPort).toBe(identityPort);
    const planned = await logged(/^no session: .*/);
    expect(planned).toBe(line);
    supervisor.stop();
    await run;
    stranger.stop();
  });

  it('stops at once while it waits', async () => {
    server.stop();
    const { supervisor, logged, run } = supervise();
    await logged(/^no session/);
    supervisor.stop();
    await expect(run).resolves.toBeUndefined();
  });
});

describe('a session whose certificate is renewed', () => {
  it('moves to the new one at once where nothing is under way, and after an action otherwise', async () => {
    const serials: string[] = [];
    let stepOn: () => void = () => undefined;
    server.onStream = (stream) => {
      serials.push(stream.getAuthContext()?.sslPeerCertificate?.serialNumber ?? '');
      welcoming((message) => message.$case === 'hello' && stepOn())(stream);
    };
    const next = (): Promise<void> => new Promise((resolve) => (stepOn = resolve));
    const first = next();
    const { supervisor, engine, keeper, kept, logged, run } = supervise();
    await first;
    await logged(/^connected$/);
    server.diagnosis = IdentityStatus.IDENTITY_STATUS_EXPIRED;
    expect(await keeper.inquire()).toMatchObject({ renewed: true });
    const second = next();
    supervisor.certificateRenewed(60_000);
    await second;
    await logged(/the session moves to the new certificate/);
    expect(serials).toEqual(
      [new X509Certificate(identity.certificatePem), new X509Certificate(kept.current.certificatePem)].map(
        ({ serialNumber }) => serialNumber,
      ),
    );
    // An action is under way: the stream stays until its time is up.
    engine.submit(ActionRequest.fromPartial({ actionId: 'a1' }));
    await keeper.inquire();
    supervisor.certificateRenewed(60_000);
    const third = next();
    expect(await Promise.race([third.then(() => 'moved'), wait(300, 'stays')])).toBe('stays');
    supervisor.certificateRenewed(0);
    await third;
    expect(serials[2]).toBe(new X509Certificate(kept.current.certificatePem).serialNumber);
    supervisor.stop();
    await run;
  });
});

describe('the stream', () => {
  it('takes no more than the server reads, and all of it in the end', async () => {
    const COUNT = 64;
    // Noise: what can be packed would not fill the stream.
    const chunk = randomBytes(256 * 1024);
    let arrived = 0;
    let opened: (stream: ServerStream) => void = () => undefined;
    const open = new Promise<ServerStream>((resolve) => (opened = resolve));
    server.onStream = (stream) => {
      stream.pause();
      opened(stream);
    };
    const transport = connectSession(
      { host: '127.0.0.1', port: server.sessionPort },
      { identity, keyPem: key, now: new Date() },
    );
    transport.onMessage(() => undefined);
    let sent = 0;
    let stalled: () => void = () => undefined;
    const stall = new Promise<void>((resolve) => (stalled = resolve));
    const all = (async () => {
      for (; sent < COUNT; sent += 1) {
        const content = { $case: 'whole', value: chunk } as const;
        const taken = transport.send({
          $case: 'facetUpdate',
          value: { facet: Facet.FACET_CONFIG, digest: chunk.subarray(0, 32), observedAgeMs: 0, content },
        });
        const first = await Promise.race([
          taken.then(() => 'taken'),
          new Promise((resolve) => setTimeout(resolve, 1000, 'stalled')),
        ]);
        if (first === 'stalled') stalled();
        await taken;
      }
    })();
    await stall;
    expect(sent).toBeLessThan(COUNT - 10);
    const stream = await open;
    const complete = new Promise<void>((resolve) => {
      stream.on('data', () => {
        arrived += 1;
        if (arrived === COUNT) resolve();
      });
    });
    stream.resume();
    await Promise.all([all, complete]);
    stream.end();
    await expect(transport.end).resolves.toEqual({ kind: 'ended' });
  });
});
