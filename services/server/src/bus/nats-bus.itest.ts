import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import type { NatsConfig } from '../config/bus-config.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { TestNats } from '../testing/nats-server.ts';
import { TcpProxy } from '../testing/tcp-proxy.ts';
import { announceOnce } from './announce-once.ts';
import { BusUnavailableError } from './bus.errors.ts';
import { NatsBus } from './nats-bus.ts';
import { busContract } from './testing/bus-contract.ts';

const PLAIN: Omit<NatsConfig, 'servers'> = { tls: false, credentials: null, caFile: null };
const password = { kind: 'password', user: 'modfleet', password: 'of this test' } as const;

describe('NatsBus', () => {
  const stops: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  const member = busContract(async () => {
    const nats = await TestNats.start();
    const proxy = new TcpProxy({ host: '127.0.0.1', port: nats.port });
    await proxy.mend();
    return {
      make: (id) => new NatsBus({ ...PLAIN, servers: [`127.0.0.1:${proxy.port}`] }, id),
      cut: () => proxy.cut(),
      mend: () => proxy.mend(),
      stop: async () => {
        await proxy.cut();
        await nats.stop();
      },
    };
  });

  async function server(config = '', files: Record<string, string> = {}): Promise<TestNats> {
    const nats = await TestNats.start(config, files);
    stops.push(() => nats.stop());
    return nats;
  }

  async function started(config: NatsConfig): Promise<NatsBus> {
    const bus = new NatsBus(config, randomUUID());
    stops.push(() => bus.onApplicationShutdown());
    await bus.onApplicationBootstrap();
    return bus;
  }

  it('takes nothing while it is away: whoever publishes hears so, and nothing comes late', async () => {
    const bus = await started({ ...PLAIN, servers: ['127.0.0.1:1'] });
    expect(bus.problem).toBe('nobody listens at 127.0.0.1:1: start the NATS server, or mend MODFLEET_BUS_URL');
    await expect(bus.publish('freeze', '')).rejects.toBeInstanceOf(BusUnavailableError);
  });

  it('goes to the next server of the cluster when the first is not there', async () => {
    const { port } = await server();
    const bus = await started({ ...PLAIN, servers: ['127.0.0.1:1', `127.0.0.1:${port}`] });
    expect(bus.problem).toBeUndefined();
  });

  it('shows a password, and says when the server wants one or does not take it', async () => {
    const { port } = await server('authorization { user: modfleet, password: "of this test" }');
    const servers = [`127.0.0.1:${port}`];
    expect((await started({ ...PLAIN, servers, credentials: password })).problem).toBeUndefined();
    expect((await started({ ...PLAIN, servers })).problem).toContain('wants credentials');
    const wrong = await started({ ...PLAIN, servers, credentials: { ...password, password: 'another' } });
    expect(wrong.problem).toContain('does not take the credentials of MODFLEET_BUS_CREDENTIALS_FILE');
    expect(wrong.problem).not.toContain('another');
  });

  it('shows an nkey', async () => {
    const user = nkeys.createUser();
    const { port } = await server(`authorization { users: [{ nkey: "${user.getPublicKey()}" }] }`);
    const servers = [`127.0.0.1:${port}`];
    const seedOf = (pair: typeof user): string => new TextDecoder().decode(pair.getSeed());
    const credentials = { kind: 'nkey', seed: seedOf(user) } as const;
    expect((await started({ ...PLAIN, servers, credentials })).problem).toBeUndefined();
    const other = await started({
      ...PLAIN,
      servers,
      credentials: { ...credentials, seed: seedOf(nkeys.createUser()) },
    });
    expect(other.problem).toContain('does not take the credentials');
  });

  it('says which subjects its user may not use', async () => {
    const { port } = await server(
      'authorization { users: [{ user: modfleet, password: "of this test", permissions: { subscribe: "elsewhere" } }] }',
    );
    const bus = await started({ ...PLAIN, servers: [`127.0.0.1:${port}`], credentials: password });
    await comesTrue(() => expect(bus.problem).toContain('may not use the subject modfleet.'));
    await expect(bus.publish('freeze', '')).rejects.toBeInstanceOf(BusUnavailableError);
  });

  it('speaks TLS where the address says so: to a server of the named CA, and to no other', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'modfleet-nats-ca-'));
    stops.push(async () => rmSync(folder, { recursive: true }));
    const ca = await CertificateAuthority.open(folder);
    const { keyPem, certificatePem } = await ca.issueServerIdentity(['127.0.0.1', 'localhost']);
    const nats = await server('tls { cert_file: "FOLDER/cert.pem", key_file: "FOLDER/key.pem" }', {
      'cert.pem': certificatePem.toString(),
      'key.pem': keyPem.toString(),
    });
    const known = join(folder, 'known.pem');
    writeFileSync(known, ca.certificatePem);
    const servers = [`localhost:${nats.port}`];
    expect((await started({ ...PLAIN, servers, tls: true, caFile: known })).problem).toBeUndefined();
    expect((await started({ ...PLAIN, servers, tls: true })).problem).toContain('name its CA in MODFLEET_BUS_CA_FILE');
    const plain = await server();
    const toPlain = await started({ ...PLAIN, servers: [`localhost:${plain.port}`], tls: true, caFile: known });
    expect(toPlain.problem).toContain('speaks no TLS');
  });

  it('is reached by a command that has no bus of its own', async () => {
    const nats = await server();
    const config: NatsConfig = { ...PLAIN, servers: [`127.0.0.1:${nats.port}`] };
    const bus = await started(config);
    const heard: string[] = [];
    bus.subscribe('freeze', (payload) => heard.push(payload));
    await announceOnce({ bus: { kind: 'nats', ...config } }, undefined as never).publish('freeze', 'from a command');
    await comesTrue(() => expect(heard).toEqual(['from a command']));
    const nobody = { kind: 'nats', ...config, servers: ['127.0.0.1:1'] } as const;
    await expect(announceOnce({ bus: nobody }, undefined as never).publish('freeze', '')).rejects.toThrow(
      'nobody listens at 127.0.0.1:1',
    );
  });

  it('ignores what is none of ours, and what is meant for another replica', async () => {
    const { bus, heard } = await member();
    await bus.publish('replica:another', 'not for you');
    await bus.publish('freeze', 'done');
    await comesTrue(() => expect(heard).toEqual(['freeze done']));
  });
});
