import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { type IdentityServiceServer, IdentityServiceService } from '@modfleet/proto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { GrpcListener, type GrpcListenerOptions, ListenError } from './grpc-listener.ts';
import { comesTrue } from '../testing/comes-true.ts';

const LIMITS = {
  connections: 10,
  unfinished: 2,
  waiting: 1,
  perAddress: { connections: 10, unfinished: 10, waiting: 10 },
  perSecond: 1_000,
  burst: 1_000,
};

describe('GrpcListener', () => {
  let folder: string;
  let ca: CertificateAuthority;
  const opened: GrpcListener[] = [];
  const sockets: Socket[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-listener-'));
    ca = await CertificateAuthority.open(folder);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await Promise.all(opened.splice(0).map((listener) => listener.stop(100)));
  });

  async function listen(options: Partial<GrpcListenerOptions> = {}): Promise<{ listener: GrpcListener; port: number }> {
    const listener = new GrpcListener({
      listen: { host: '127.0.0.1', port: 0 },
      limits: LIMITS,
      grpc: { 'grpc.max_receive_message_length': 1024 },
      clientCa: null,
      identity: await ca.issueServerIdentity([]),
      ...options,
    });
    const answers: IdentityServiceServer = {
      enroll: (_call, reply) => reply({ code: status.PERMISSION_DENIED }),
      challenge: (call, reply) => {
        listener.peerArrived(call.getPeer());
        reply(null, { nonce: Buffer.alloc(32) });
      },
      diagnose: (_call, reply) => reply({ code: status.PERMISSION_DENIED }),
      renew: (_call, reply) => reply({ code: status.PERMISSION_DENIED }),
    };
    listener.server.addService(IdentityServiceService, answers);
    const { port } = await listener.start();
    opened.push(listener);
    return { listener, port };
  }
  /** A connection that says nothing. */
  const mute = (port: number): { closed: Promise<void> } => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    sockets.push(socket);
    return { closed: new Promise((resolve) => socket.once('close', () => resolve())) };
  };
  /** A listener whose every place for a handshake is taken by one who says nothing. */
  async function full(): ReturnType<typeof listen> {
    const made = await listen();
    for (let taken = 0; taken < LIMITS.unfinished; taken += 1) mute(made.port);
    await comesTrue(() => expect(made.listener.openConnections).toBe(LIMITS.unfinished));
    return made;
  }
  async function challenge(port: number): Promise<number> {
    const agent = await TestAgent.create('caller');
    agent.caPem = ca.certificatePem;
    const client = agent.identityClient(`127.0.0.1:${port}`);
    try {
      return await new Promise((resolve, reject) =>
        client.challenge({}, (error, answer) => (error === null ? resolve(answer.nonce.length) : reject(error))),
      );
    } finally {
      client.close();
    }
  }

  it('drops connections that never finish their handshake, and takes others then', async () => {
    const { listener, port } = await listen({ handshakeTimeoutMs: 300 });
    const first = [mute(port), mute(port)];
    await comesTrue(() => expect(listener.openConnections).toBe(2));
    await Promise.all(first.map((connection) => connection.closed));
    expect(await challenge(port)).toBe(32);
    await comesTrue(() => expect(listener.openConnections).toBe(0));
  });

  it('lets others wait meanwhile, as many as there are places, and for so long', async () => {
    const refused: string[] = [];
    const { listener, port } = await listen({
      handshakeTimeoutMs: 1_000,
      lineTimeoutMs: 300,
      onRefused: (why) => refused.push(why),
    });
    const first = [mute(port), mute(port)];
    await comesTrue(() => expect(listener.openConnections).toBe(2));
    const late = mute(port).closed;
    await mute(port).closed;
    expect(refused).toEqual(['line']);
    await late;
    expect(refused).toEqual(['line', 'waited']);
    sockets[0]?.destroy();
    await first[0]?.closed;
    expect(await challenge(port)).toBe(32);
  });

  it('takes who waited, with all that was said meanwhile, as soon as there is room', async () => {
    const { port } = await full();
    const answered = challenge(port);
    // Its first bytes are there before it is let in.
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const socket of sockets.splice(0)) socket.destroy();
    expect(await answered).toBe(32);
  });

  it('leaves nobody waiting when it stops', async () => {
    const { listener, port } = await full();
    const waiting = mute(port);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await Promise.all([listener.stop(100), waiting.closed]);
  });

  it('takes so many connections from one address, and no more for a while', async () => {
    const refused: string[] = [];
    const { port } = await listen({
      addressLimit: { perSecond: 0.001, burst: 2 },
      onRefused: (why) => refused.push(why),
    });
    expect(await challenge(port)).toBe(32);
    expect(await challenge(port)).toBe(32);
    await mute(port).closed;
    expect(refused).toEqual(['address']);
  });

  it('refuses messages that are too long', async () => {
    const { port } = await listen();
    const agent = await TestAgent.create('x'.repeat(2_000));
    agent.caPem = ca.certificatePem;
    const client = agent.identityClient(`127.0.0.1:${port}`);
    const call = new Promise((resolve, reject) =>
      client.enroll({ joinToken: '', csr: agent.csr, facts: agent.facts }, (error) =>
        error === null ? resolve(null) : reject(error),
      ),
    );
    await expect(call).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    client.close();
  });

  it('speaks no old TLS (all cases: tls-cases.itest.ts), and asks for a client certificate where one is needed', async () => {
    const { port } = await listen({ clientCa: ca.certificatePem });
    const handshake = (options: object): Promise<string> =>
      new Promise((resolve) => {
        const socket = tlsConnect({
          port,
          host: '127.0.0.1',
          ca: ca.certificatePem,
          servername: 'modfleet-server',
          ALPNProtocols: ['h2'],
          ...options,
        });
        sockets.push(socket);
        socket.once('error', (error) => resolve(error.message));
        socket.once('close', () => resolve('closed'));
        socket.once('data', () => resolve('served'));
      });
    expect(await handshake({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })).toMatch(
      /protocol version|unsupported|closed|alert/,
    );
    expect(await handshake({})).not.toBe('served');
  });

  it('names the port that is taken', async () => {
    const { port } = await listen();
    await expect(listen({ listen: { host: '127.0.0.1', port } })).rejects.toThrow(
      new ListenError(
        `Cannot listen on 127.0.0.1:${port}: something else listens there: stop it, or choose another port.`,
      ),
    );
  });

  it('stops although somebody holds a connection open', async () => {
    const { listener, port } = await listen();
    const held = mute(port);
    await comesTrue(() => expect(listener.openConnections).toBe(1));
    await listener.stop(50);
    await held.closed;
  });
});
