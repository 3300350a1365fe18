import 'reflect-metadata';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { status } from '@grpc/grpc-js';
import { ExtendedKeyUsage } from '@peculiar/x509';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HostFacts, IdentityStatus, formatJoinString } from '@modfleet/proto';
import { createLog } from '../log.ts';
import { FakeServer } from '../testing/fake-server.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { makeCertificateRequest } from './certificate-request.ts';
import { type MakeRequest, requestsInChild } from './certificate-requests.ts';
import { askIdentityService } from './identity-questions.ts';
import { FileIdentityStore } from './file-identity-store.ts';
import { loadOrMakeKey } from './host-key.ts';
import {
  IdentityCallError,
  JoinRefusedError,
  ServerNotTrustedError,
  ServerUnreachableError,
} from './identity-errors.ts';
import { identityOrJoin } from './join-loop.ts';
import { joinHost } from './join-host.ts';
import { FailingIdentityStore, MemoryIdentityStore } from './memory-identity-store.ts';

const TOKEN = `mfj_${'t'.repeat(43)}`;
const FACTS = HostFacts.fromPartial({ hostname: 'h1' });

let authority: TestAuthority;
let server: FakeServer;
let folder: string;

beforeEach(async () => {
  authority = await TestAuthority.create();
  server = new FakeServer(authority);
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-identity-'));
});

afterEach(async () => {
  server.stop();
  await rm(folder, { recursive: true });
});

const address = () => ({ host: '127.0.0.1', port: server.identityPort });
const joinString = () => formatJoinString({ token: TOKEN, caFingerprint: authority.fingerprint });
const join = (store = new MemoryIdentityStore(), text = joinString()) =>
  joinHost({ server: address(), joinString: text, facts: FACTS, store, makeRequest: makeCertificateRequest });

describe('joining', () => {
  it('makes a host; key and identity are kept for this user alone', async () => {
    await server.start(await authority.server());
    const store = new FileIdentityStore(path.join(folder, 'state'));
    const identity = await joinHost({
      server: address(),
      joinString: joinString(),
      facts: FACTS,
      store,
      makeRequest: makeCertificateRequest,
    });
    expect(server.enrolled[0]).toMatchObject({ joinToken: TOKEN, facts: { hostname: 'h1' } });
    expect(identity.server).toEqual({
      host: '127.0.0.1',
      identityPort: server.identityPort,
      sessionPort: server.sessionPort,
    });
    await expect(store.load()).resolves.toEqual(identity);
    const mode = async (...parts: string[]) => (await stat(path.join(folder, 'state', ...parts))).mode & 0o777;
    expect([await mode(), await mode('identity.json'), await mode('host-key.pem')]).toEqual([0o700, 0o600, 0o600]);
    expect(await readFile(path.join(folder, 'state', 'identity.json'), 'utf8')).not.toContain(TOKEN);
  });

  it('gets the same host again after a lost answer: the key was kept before it was shown', async () => {
    await server.start(await authority.server());
    const store = new MemoryIdentityStore();
    const first = await join(store);
    const second = await join(store);
    expect(second.hostId).toBe(first.hostId);
  });

  it('never shows the token to a server with another CA, nor to one that only shows our CA’s certificate', async () => {
    const other = await TestAuthority.create();
    await server.start(await other.server());
    await expect(join()).rejects.toThrow('no certificate of this server has the fingerprint');
    server.stop();
    server = new FakeServer(authority);
    const impostor = await other.server();
    const chain = `${impostor.certificatePem.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n${authority.certificatePem}`;
    await server.start({ ...impostor, certificatePem: chain });
    await expect(join()).rejects.toThrow(ServerNotTrustedError);
    expect(server.enrolled).toEqual([]);
  });

  it.each([
    ['a host certificate of the same CA', { usage: ExtendedKeyUsage.clientAuth }, 'is not a modfleet server’s'],
    ['another name', { name: 'elsewhere' }, 'is not a modfleet server’s'],
    ['an old certificate', { dates: { fromDays: -9, toDays: -2 } }, 'as far as this machine knows'],
    ['a certificate from the future', { dates: { fromDays: 2, toDays: 9 } }, 'is its clock right?'],
  ])('refuses a server with %s', async (_what, options, words) => {
    await server.start(await authority.server(options));
    await expect(join()).rejects.toThrow(words);
    expect(server.enrolled).toEqual([]);
  });

  it('tells a refusal, which is final, from trouble that may pass', async () => {
    await server.start(await authority.server());
    server.enrollError = { code: status.UNAUTHENTICATED, details: 'This join token has expired.' };
    await expect(join()).rejects.toThrow(JoinRefusedError);
    await expect(join()).rejects.toThrow('This join token has expired.');
    server.enrollError = { code: status.UNAVAILABLE, details: 'no database' };
    await expect(join()).rejects.toThrow(IdentityCallError);
  });

  it('says where nobody listens, and who does not speak TLS', async () => {
    await server.start(await authority.server());
    const gone = address();
    server.stop();
    await expect(
      joinHost({
        server: gone,
        joinString: joinString(),
        facts: FACTS,
        store: new MemoryIdentityStore(),
        makeRequest: makeCertificateRequest,
      }),
    ).rejects.toThrow(ServerUnreachableError);
    const mute = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    const port = await new Promise<number>((resolve) =>
      mute.listen(0, '127.0.0.1', () => resolve((mute.address() as { port: number }).port)),
    );
    await expect(
      joinHost({
        server: { host: '127.0.0.1', port },
        joinString: joinString(),
        facts: FACTS,
        store: new MemoryIdentityStore(),
        makeRequest: makeCertificateRequest,
      }),
    ).rejects.toThrow(ServerUnreachableError);
    mute.close();
  });

  it('shows nothing to anyone when the key cannot be kept', async () => {
    await server.start(await authority.server());
    const store = new FailingIdentityStore();
    await expect(
      joinHost({
        server: address(),
        joinString: joinString(),
        facts: FACTS,
        store,
        makeRequest: makeCertificateRequest,
      }),
    ).rejects.toThrow('the disk fails');
    expect(server.enrolled).toEqual([]);
  });
});

describe('a host that has not joined', () => {
  const wait = (
    store: MemoryIdentityStore,
    joinFile: string,
    onSleep: () => void | Promise<void>,
    makeRequest: MakeRequest = makeCertificateRequest,
  ) => {
    const lines: string[] = [];
    const log = createLog('info', (line) => lines.push(line));
    const stop = new AbortController();
    const identity = identityOrJoin({
      server: address(),
      joinFile,
      handedOver: `${joinFile}.handed-over`,
      store,
      readFacts: () => Promise.resolve(FACTS),
      makeRequest,
      log,
      random: () => 0,
      sleep: async () => onSleep(),
      signal: stop.signal,
    });
    return { identity, lines, stop };
  };

  it('joins as soon as there is a join file, erases it, and never logs it', async () => {
    await server.start(await authority.server());
    const joinFile = path.join(folder, 'join');
    const { identity, lines } = wait(new MemoryIdentityStore(), joinFile, () =>
      writeFile(joinFile, `${joinString()}\n`),
    );
    await expect(identity).resolves.toMatchObject({ hostId: expect.any(String) as string });
    await expect(stat(joinFile)).rejects.toThrow('ENOENT');
    expect(lines.join('')).toContain('this machine has not joined a server');
    expect(lines.join('')).not.toContain(TOKEN);
  });

  it('waits for another join string after a refusal, without asking again', async () => {
    await server.start(await authority.server());
    server.enrollError = { code: status.UNAUTHENTICATED, details: 'used up' };
    const joinFile = path.join(folder, 'join');
    await writeFile(joinFile, joinString());
    let looks = 0;
    const { identity, lines, stop } = wait(new MemoryIdentityStore(), joinFile, () => {
      looks += 1;
      if (looks === 3) stop.abort();
    });
    await expect(identity).resolves.toBeUndefined();
    expect(server.enrolled).toHaveLength(1);
    expect(lines.join('')).toContain('cannot join: the server refuses this join: used up');
    expect(lines.join('')).not.toContain(TOKEN);
  });

  it('tries again when the process that makes its certificate request dies', async () => {
    await server.start(await authority.server());
    const joinFile = path.join(folder, 'join');
    await writeFile(joinFile, joinString());
    let runs = 0;
    const makeRequest = requestsInChild(async (_args, { input = '' }) => {
      runs += 1;
      if (runs === 1) throw new Error('ended with SIGKILL');
      return makeCertificateRequest(input);
    });
    const { identity, lines } = wait(new MemoryIdentityStore(), joinFile, () => undefined, makeRequest);
    await expect(identity).resolves.toMatchObject({ hostId: expect.any(String) as string });
    expect(lines.join('')).toMatch(/cannot join yet: no certificate request .* ended with SIGKILL; if this stays/);
    expect(lines.join('')).not.toContain('PRIVATE KEY');
  });
});

describe('diagnosis', () => {
  it('is asked with the host key, also of a server whose certificate has ended, and must be signed by the CA', async () => {
    await server.start(await authority.server());
    const store = new MemoryIdentityStore();
    const identity = await join(store);
    const key = await loadOrMakeKey(store);
    server.stop();
    const later = new FakeServer(authority);
    later.diagnosis = IdentityStatus.IDENTITY_STATUS_DELETED;
    await later.start(await authority.server({ dates: { fromDays: -9, toDays: -2 } }));
    const ask = () =>
      askIdentityService(identity, key, { host: '127.0.0.1', port: later.identityPort }, (of) => of.diagnose());
    try {
      await expect(ask()).resolves.toEqual({
        status: IdentityStatus.IDENTITY_STATUS_DELETED,
        serverTimeMs: 1_700_000_000_000,
      });
      later.forge = true;
      await expect(ask()).rejects.toThrow('not signed by its CA');
    } finally {
      later.stop();
    }
  });

  it('is never asked of a server with another CA', async () => {
    await server.start(await authority.server());
    const store = new MemoryIdentityStore();
    const identity = await join(store);
    const other = await TestAuthority.create();
    const stranger = new FakeServer(other);
    await stranger.start(await other.server());
    try {
      const asked = askIdentityService(
        identity,
        await loadOrMakeKey(store),
        { host: '127.0.0.1', port: stranger.identityPort },
        (of) => of.diagnose(),
      );
      await expect(asked).rejects.toThrow('not made by the pinned certificate authority');
    } finally {
      stranger.stop();
    }
  });
});
