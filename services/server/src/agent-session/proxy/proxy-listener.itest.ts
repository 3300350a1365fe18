import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Metadata, status } from '@grpc/grpc-js';
import { type IdentityServiceServer, IdentityServiceService } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../../ca/certificate-authority.ts';
import { addressesIn } from '../../config/address-list.ts';
import { comesTrue } from '../../testing/comes-true.ts';
import { TestAgent } from '../../testing/test-agent.ts';
import { GrpcListener, type GrpcListenerOptions } from '../grpc-listener.ts';
import { HeaderBalancer } from './testing/header-balancer.ts';
import { LOCAL_HEADER, proxyHeader } from './testing/write-header.ts';

const LIMITS = {
  connections: 10,
  unfinished: 3,
  waiting: 0,
  perAddress: { connections: 10, unfinished: 3, waiting: 0 },
  perSecond: 1_000,
  burst: 1_000,
};
const LOOPBACK = addressesIn(['127.0.0.1']);
const HEADER = proxyHeader({ source: '192.0.2.77', port: 4_711, fields: [{ type: 4, value: Buffer.from('x') }] });

describe('a listener behind a balancer', () => {
  let folder: string;
  let ca: CertificateAuthority;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-proxied-'));
    ca = await CertificateAuthority.open(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  /** Answers each challenge; says who asked. */
  async function listen(options: Partial<GrpcListenerOptions> = {}) {
    const peers: string[] = [];
    const refused: string[] = [];
    const listener = new GrpcListener({
      listen: { host: '127.0.0.1', port: 0 },
      limits: LIMITS,
      grpc: {},
      clientCa: null,
      identity: await ca.issueServerIdentity([]),
      balancers: LOOPBACK,
      onRefused: (reason, words) => refused.push(words ?? reason),
      ...options,
    });
    const denied = (_call: unknown, reply: (error: { code: status }) => void): void =>
      reply({ code: status.PERMISSION_DENIED });
    const answers: IdentityServiceServer = {
      enroll: denied,
      diagnose: denied,
      renew: denied,
      challenge: (call, reply) => {
        peers.push(listener.peerArrived(call.getPeer()));
        reply(null, { nonce: Buffer.alloc(32) });
      },
    };
    listener.server.addService(IdentityServiceService, answers);
    const { port } = await listener.start();
    stops.push(() => listener.stop(100));
    return { address: `127.0.0.1:${port}`, port, peers, refused, listener };
  }

  async function balancer(target: string, begin: (upstream: Socket) => Promise<void> | void): Promise<string> {
    const made = await HeaderBalancer.before(target, begin);
    stops.push(() => made.stop());
    return `127.0.0.1:${made.port}`;
  }

  async function challenge(address: string): Promise<number> {
    const agent = await TestAgent.create('caller');
    agent.caPem = ca.certificatePem;
    const client = agent.identityClient(address);
    try {
      return await new Promise((resolve, reject) =>
        client.challenge({}, new Metadata(), { deadline: Date.now() + 5_000 }, (error, answer) =>
          error === null ? resolve(answer.nonce.length) : reject(error),
        ),
      );
    } finally {
      client.close();
    }
  }

  /** A connection that says this and no more; resolves when it is closed. */
  async function says(port: number, bytes: Buffer): Promise<void> {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('error', () => undefined);
    await once(socket, 'close');
  }

  it('serves TLS after the header, and knows whose connection it is', async () => {
    const { address, peers, refused, listener } = await listen();
    const through = await balancer(address, (upstream) => void upstream.write(HEADER));
    expect(await challenge(through)).toBe(32);
    expect(peers).toEqual(['192.0.2.77:4711']);
    await comesTrue(() => expect(listener.openConnections).toBe(0));
    expect(refused).toEqual([]);
  });

  it('takes a header byte by byte, and one together with the first bytes of TLS', async () => {
    const { address, peers } = await listen();
    const slowly = await balancer(address, async (upstream) => {
      for (const byte of HEADER) {
        upstream.write(Buffer.of(byte));
        await delay(1);
      }
    });
    expect(await challenge(slowly)).toBe(32);
    const together = await balancer(address, (upstream) => {
      upstream.cork();
      upstream.write(HEADER);
      setTimeout(() => upstream.uncork(), 50);
    });
    expect(await challenge(together)).toBe(32);
    expect(peers).toEqual(['192.0.2.77:4711', '192.0.2.77:4711']);
  });

  it("takes a balancer's own health check for what it is", async () => {
    const { address, peers } = await listen();
    const through = await balancer(address, (upstream) => void upstream.write(LOCAL_HEADER));
    expect(await challenge(through)).toBe(32);
    expect(peers).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  });

  it('refuses a listed balancer that sends no header, a wrong one, or none in time', async () => {
    const { address, port, peers, refused } = await listen({ handshakeTimeoutMs: 300 });
    await expect(challenge(address)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await says(port, Buffer.from('PROXY TCP4 192.0.2.77 10.0.0.1 4711 7781\r\n'));
    await says(port, HEADER.subarray(0, 20));
    expect(peers).toEqual([]);
    expect(new Set(refused)).toEqual(
      new Set(['no PROXY header of version 2 (from 127.0.0.1)', 'no PROXY header in time (from 127.0.0.1)']),
    );
  });

  it('believes a header of nobody else: it is no TLS, and its sender is closed', async () => {
    const { address, port, peers } = await listen({ balancers: addressesIn(['192.0.2.0/24']) });
    const through = await balancer(address, (upstream) => void upstream.write(HEADER));
    await expect(challenge(through)).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await says(port, HEADER);
    expect(peers).toEqual([]);
    // And serves them as what they are when they send none.
    expect(await challenge(address)).toBe(32);
    expect(peers).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  });

  it('does not listen for headers where no balancer is listed', async () => {
    const { port, address } = await listen({ balancers: undefined });
    await says(port, HEADER);
    expect(await challenge(address)).toBe(32);
  });

  it('limits connections by where they come from, and not by their balancer', async () => {
    const { address, refused } = await listen({ addressLimit: { perSecond: 0.001, burst: 1 } });
    const from = (source: string) =>
      balancer(address, (upstream) => void upstream.write(proxyHeader({ source, port: 1, fields: [] })));
    expect(await challenge(await from('192.0.2.1'))).toBe(32);
    expect(await challenge(await from('192.0.2.2'))).toBe(32);
    await expect(challenge(await from('192.0.2.1'))).rejects.toMatchObject({ code: status.UNAVAILABLE });
    expect(refused).toContain('address');
  });

  it('gives the place of one who went while it waited in the line to another', async () => {
    const limits = { ...LIMITS, unfinished: 1, waiting: 2, perAddress: { ...LIMITS.perAddress, waiting: 2 } };
    const { port, address, listener } = await listen({ limits });
    const comes = async (): Promise<Socket> => {
      const socket = connect(port, '127.0.0.1').on('error', () => undefined);
      await once(socket, 'connect');
      socket.write(HEADER);
      return socket;
    };
    const first = await comes();
    await comesTrue(() => expect(listener.openConnections).toBe(1));
    const second = await comes();
    await delay(100);
    second.resetAndDestroy();
    await delay(100);
    first.destroy();
    const through = await balancer(address, (upstream) => void upstream.write(HEADER));
    expect(await challenge(through)).toBe(32);
    await comesTrue(() => expect(listener.openConnections).toBe(0));
  });

  it('bounds those that have sent no header yet, forgets them when they go, and ends them when it stops', async () => {
    const { port, address, refused, listener } = await listen();
    const silent = Array.from({ length: LIMITS.unfinished }, () =>
      connect(port, '127.0.0.1').on('error', () => undefined),
    );
    await Promise.all(silent.map((socket) => once(socket, 'connect')));
    await says(port, Buffer.alloc(0));
    expect(refused).toEqual(['too many without a header (from 127.0.0.1)']);
    expect(listener.openConnections).toBe(0);
    silent[0]?.destroy();
    const through = await balancer(address, (upstream) => void upstream.write(HEADER));
    await comesTrue(async () => expect(await challenge(through)).toBe(32));
    const ended = Promise.all(silent.slice(1).map((socket) => once(socket, 'close')));
    await listener.stop(50);
    await ended;
  });
});
