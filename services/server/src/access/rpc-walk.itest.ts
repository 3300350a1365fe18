import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { ConfirmServiceService, IdentityServiceService, SERVER_TLS_NAME, SessionServiceService } from '@modfleet/proto';
import { beforeAll, describe, expect, it } from 'vitest';
import { AgentListeners } from '../agent-session/agent-listeners.service.ts';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { certificatePem } from '../ca/x509.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { JoinTokenService } from '../enrollment/join-token.service.ts';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { refuseUnruledRpc, RPC_TABLE } from './rpc-table.ts';

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const REAL = [IdentityServiceService, SessionServiceService, ConfirmServiceService].flatMap((service) =>
  Object.values(service).map(({ path }) => path),
);
const KINDS = ['none', 'API token', 'host', 'other host', 'retired host', 'revoked host', 'unknown host'] as const;
type Kind = (typeof KINDS)[number];

const agents = new Map<Kind, TestAgent>();
let addresses: { session: string; identity: string };
let caPem: string;

beforeAll(async () => {
  const listeners = server.app.get(AgentListeners);
  addresses = { session: listeners.sessionAddress ?? '', identity: listeners.identityAddress ?? '' };
  const ca = server.app.get(CertificateAuthority);
  caPem = ca.certificatePem;
  const { joinString } = await server.database.tx('READ COMMITTED', (sql) =>
    server.app.get(JoinTokenService).create(sql, { maxUses: 10, expiresInSeconds: 600 }, SERVER_SOURCE),
  );
  for (const kind of ['host', 'other host', 'retired host', 'revoked host', 'unknown host'] as const) {
    const agent = await TestAgent.create(kind.replace(' ', '-'));
    await agent.enroll({ ca, identityAddress: addresses.identity } as never, joinString.split('.')[0] ?? joinString);
    agents.set(kind, agent);
  }
  await server.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [agents.get('retired host')?.hostId]);
  await server.database.query('UPDATE host SET revoked_at = now() WHERE id = $1', [agents.get('revoked host')?.hostId]);
  await server.database.query('DELETE FROM host WHERE id = $1', [agents.get('unknown host')?.hostId]);
});

function credentialsOf(kind: Kind): ChannelCredentials {
  const agent = agents.get(kind);
  if (agent === undefined) return credentials.createSsl(Buffer.from(caPem));
  const certificate = Buffer.from(certificatePem(agent.certificate));
  return credentials.createSsl(Buffer.from(caPem), Buffer.from(agent.keyPem), certificate);
}

/** The status of a call with an empty message. */
async function called(path: string, listener: 'session' | 'identity', kind: Kind): Promise<status> {
  const client = new Client(addresses[listener], credentialsOf(kind), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.ssl_target_name_override': SERVER_TLS_NAME,
  });
  const asIs = (bytes: Buffer): Buffer => bytes;
  try {
    return await new Promise((resolve) => {
      const metadata = new Metadata();
      if (kind === 'API token') metadata.set('authorization', `Bearer ${server.token}`);
      const call = client.makeBidiStreamRequest(path, asIs, asIs, metadata, { deadline: Date.now() + 10_000 });
      call.on('data', () => undefined);
      call.on('error', () => undefined);
      call.on('status', ({ code }: { code: status }) => resolve(code));
      call.end(Buffer.alloc(0));
    });
  } finally {
    client.close();
  }
}

describe('every RPC', () => {
  it('has a row in the table, and every row an RPC', () => {
    expect([...REAL].sort()).toEqual(Object.keys(RPC_TABLE).sort());
  });

  it('stops the start without a row, or on the wrong listener', () => {
    expect(() => refuseUnruledRpc('session', { x: { path: '/modfleet.agent.v1.SessionService/Other' } })).toThrow(
      'has no row',
    );
    expect(() => refuseUnruledRpc('session', IdentityServiceService)).toThrow('has no row for the listener "session"');
  });

  it.each(
    KINDS.flatMap((kind) =>
      REAL.flatMap((path) => (['session', 'identity'] as const).map((listener) => ({ kind, path, listener }))),
    ),
  )('$path on $listener by: $kind', async ({ kind, path, listener }) => {
    const rule = RPC_TABLE[path];
    const code = await called(path, listener, kind);
    const hasCertificate = agents.has(kind);
    // Mutual TLS lets nobody in without a certificate of the CA, whatever they ask for.
    if (listener === 'session' && !hasCertificate) expect(status[code]).toBe('UNAVAILABLE');
    else if (rule?.listener !== listener) expect(status[code]).toBe('UNIMPLEMENTED');
    else if (rule.access === 'anyone')
      expect(['OK', 'UNAUTHENTICATED', 'INVALID_ARGUMENT', 'PERMISSION_DENIED']).toContain(status[code]);
    else if (path === ConfirmServiceService.confirm.path)
      // Known or not, there is no such action of this host; a retired or revoked one is told.
      expect(status[code]).toBe(kind.startsWith('re') ? 'FAILED_PRECONDITION' : 'NOT_FOUND');
    // A stream that is only opened and closed proves nothing: the next test says Hello.
    else expect(path).toBe(SessionServiceService.session.path);
  });

  it.each(['host', 'other host', 'retired host', 'revoked host', 'unknown host'] as const)(
    'a session for: %s',
    async (kind) => {
      const agent = agents.get(kind);
      if (agent === undefined) throw new Error('no such agent');
      const session = agent.dial(addresses.session);
      session.hello([]);
      if (kind === 'host' || kind === 'other host') {
        await session.expect('welcome');
        await session.leave();
      } else {
        const ended: ServiceError | null = await session.ended;
        expect(ended?.code).not.toBe(status.OK);
        expect(ended?.details).toContain(kind.startsWith('re') ? `was ${kind.split(' ')[0]}` : 'does not know');
      }
    },
  );
});
