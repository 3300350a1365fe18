import { randomUUID, webcrypto } from 'node:crypto';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { hostUri } from '@modfleet/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { P256, x509 } from '../ca/x509.ts';
import { certificatePem } from '../ca/x509.ts';
import { AgentSide } from '../testing/agent-side.ts';
import {
  oddCertificate,
  oddKey,
  type OddIssuer,
  type OddKey,
  type OddTerms,
  RSA_1024,
  stolenCa,
} from '../testing/odd-certificates.ts';
import { startTestPostgres, type TestPostgres } from '../testing/postgres.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { callSession, type TlsEnd, tlsOptions } from '../testing/tls-call.ts';

/**
 * What a client may show at the two listeners for agents, and what comes of it: refused by TLS, or by the server with the right code; nothing is stored.
 * Many of these certificates are signed with the CA's own key: not even the CA makes a client out of them.
 */
let postgres: TestPostgres;
let side: AgentSide;
let host: TestAgent;
let other: TestAgent;
let ca: OddIssuer & { readonly certificatePem: string };
let hostKey: OddKey;

beforeAll(async () => {
  postgres = await startTestPostgres();
  side = await AgentSide.start((await postgres.createDatabase()).url);
  host = await side.host('host');
  other = await side.host('other');
  ca = await stolenCa(side.stateDir);
  hostKey = await keyOf(host);
});
afterAll(async () => {
  await side?.stop();
  await postgres?.close();
});

/** A machine's own key, to be certified in ways in which it is not meant to be. */
async function keyOf(agent: TestAgent): Promise<OddKey> {
  const der = Buffer.from(agent.keyPem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64');
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, P256, true, ['sign']);
  const { d: _secret, key_ops: _ops, ...open } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await webcrypto.subtle.importKey('jwk', open, P256, true, ['verify']);
  return { keys: { privateKey, publicKey }, pem: agent.keyPem };
}

const own = (): ConnectionOptions => ({ key: host.keyPem, cert: certificatePem(host.certificate) });
const odd = async (terms: OddTerms, key: OddKey = hostKey): Promise<ConnectionOptions> => ({
  key: key.pem,
  cert: await oddCertificate(host.hostId, key, ca, terms),
});

/** Everything that a session could leave behind. */
async function stored(): Promise<unknown> {
  const [hosts] = await side.database.query(
    'SELECT count(*)::int AS hosts, count(retired_at)::int AS retired FROM host',
  );
  const [sessions] = await side.database.query('SELECT count(*)::int AS sessions FROM host_session');
  const [uses] = await side.database.query('SELECT coalesce(sum(uses), 0)::int AS uses FROM join_token');
  const quarantined = await side.database.query('SELECT id FROM host WHERE quarantined_at IS NOT NULL');
  return { hosts, sessions, uses, quarantined };
}

async function leavesNothing<T>(run: () => Promise<T>): Promise<T> {
  const before = await stored();
  const result = await run();
  expect(await stored()).toEqual(before);
  return result;
}

const REFUSED = 'refused';
const NO_HOST = { kind: 'answered', status: status.PERMISSION_DENIED, details: 'this is no host certificate' };
const NOT_KNOWN = {
  kind: 'answered',
  status: status.PERMISSION_DENIED,
  details: 'the server does not know this host and key',
};
type Expected = typeof REFUSED | typeof NO_HOST;

async function check(options: ConnectionOptions, expected: Expected): Promise<void> {
  const end: TlsEnd = await leavesNothing(() => callSession(side.sessionAddress, options));
  if (expected === REFUSED) expect(end.kind, JSON.stringify(end)).toBe('refused');
  else expect(end).toEqual(expected);
}

describe('the session listener', () => {
  it('lets a host in, over TLS 1.3', async () => {
    const agent = await side.host('good');
    const { session, welcome } = await agent.connect(side.sessionAddress);
    expect(welcome.sessionNo).toBeGreaterThan(0);
    await session.leave();
  });

  const cases: readonly [string, Expected, () => Promise<ConnectionOptions>][] = [
    ['no certificate', REFUSED, async () => ({})],
    ['an expired one', REFUSED, () => odd({ notBefore: new Date('2020-01-01'), notAfter: new Date('2020-02-01') })],
    [
      'one that is not valid yet',
      REFUSED,
      () => odd({ notBefore: new Date(Date.now() + 3_600_000), notAfter: new Date(Date.now() + 7_200_000) }),
    ],
    [
      'a self-signed one',
      REFUSED,
      async () => ({
        key: hostKey.pem,
        cert: await oddCertificate(host.hostId, hostKey, { name: `CN=${host.hostId}`, key: hostKey }),
      }),
    ],
    [
      'one of another CA with the same name',
      REFUSED,
      async () => ({
        key: hostKey.pem,
        cert: await oddCertificate(host.hostId, hostKey, { name: ca.name, key: await oddKey() }),
      }),
    ],
    [
      'one of another CA, with that CA in the chain',
      REFUSED,
      async () => {
        const issuer = { name: ca.name, key: await oddKey() };
        const issuerCertificate = await oddCertificate('', issuer.key, issuer, {
          subject: ca.name,
          uris: [],
          usages: [],
          isCa: true,
        });
        return { key: hostKey.pem, cert: (await oddCertificate(host.hostId, hostKey, issuer)) + issuerCertificate };
      },
    ],
    ["the CA's own certificate as a leaf", NO_HOST, async () => ({ key: ca.key.pem, cert: ca.certificatePem })],
    [
      'a leaf that a leaf has issued',
      REFUSED,
      async () => {
        const leaf = { name: `CN=${host.hostId}`, key: hostKey };
        const key = await oddKey();
        return {
          key: key.pem,
          cert: (await oddCertificate(other.hostId, key, leaf)) + certificatePem(host.certificate),
        };
      },
    ],
    ['for servers only', REFUSED, () => odd({ usages: [x509.ExtendedKeyUsage.serverAuth] })],
    ['for signing code', REFUSED, () => odd({ usages: [x509.ExtendedKeyUsage.codeSigning] })],
    ['without any usage', NO_HOST, () => odd({ usages: [] })],
    [
      'for clients and servers',
      NO_HOST,
      () => odd({ usages: [x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth] }),
    ],
    ['that is a CA itself', NO_HOST, () => odd({ isCa: true })],
    [
      'on RSA of 1024 bits',
      REFUSED,
      async () => ({ ...(await odd({}, await oddKey(RSA_1024))), ciphers: 'DEFAULT@SECLEVEL=0' }),
    ],
    ['signed with SHA-1', REFUSED, () => odd({ hash: 'SHA-1' })],
    [
      'on P-384, with the names of the host',
      NOT_KNOWN,
      async () => odd({}, await oddKey({ ...P256, namedCurve: 'P-384' })),
    ],
    ['with another key and the names of the host', NOT_KNOWN, async () => odd({}, await oddKey())],
    ["with another host's URI", NO_HOST, () => odd({ uris: [hostUri(other.hostId)] })],
    ["with another host's name", NO_HOST, () => odd({ subject: `CN=${other.hostId}` })],
    [
      "with another host's names, on this host's key",
      NOT_KNOWN,
      () => odd({ subject: `CN=${other.hostId}`, uris: [hostUri(other.hostId)] }),
    ],
    [
      'with the names of a host that never was',
      NOT_KNOWN,
      () =>
        odd({
          subject: 'CN=00000000-0000-4000-8000-000000000000',
          uris: [hostUri('00000000-0000-4000-8000-000000000000')],
        }),
    ],
    ['with two URIs', NO_HOST, () => odd({ uris: [hostUri(host.hostId), hostUri(other.hostId)] })],
    ['with the same URI twice', NO_HOST, () => odd({ uris: [hostUri(host.hostId), hostUri(host.hostId)] })],
    ['without a URI', NO_HOST, () => odd({ uris: [] })],
    ['with two names', NO_HOST, () => odd({ subject: `CN=${host.hostId}, CN=${other.hostId}` })],
    ['with a unit beside its name', NO_HOST, () => odd({ subject: `CN=${host.hostId}, OU=x` })],
    ['with a NUL in its name', NO_HOST, () => odd({ subject: `CN=${host.hostId}\\00x` })],
    ['with a NUL in its URI', NO_HOST, () => odd({ uris: [`${hostUri(host.hostId)}\0.example`] })],
    [
      'with capitals in its name',
      NO_HOST,
      () => odd({ subject: `CN=${host.hostId.toUpperCase()}`, uris: [hostUri(host.hostId.toUpperCase())] }),
    ],
    ['TLS 1.2', REFUSED, async () => ({ ...own(), maxVersion: 'TLSv1.2' })],
    [
      'TLS 1.1',
      REFUSED,
      async () => ({ ...own(), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ],
    [
      'TLS 1.0',
      REFUSED,
      async () => ({ ...own(), minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ],
    ['HTTP/1.1 by ALPN', REFUSED, async () => ({ ...own(), ALPNProtocols: ['http/1.1'] })],
    ['another protocol by ALPN', REFUSED, async () => ({ ...own(), ALPNProtocols: ['h3', 'spdy/1'] })],
  ];

  it.each(cases)('%s', async (_what, expected, options) => check(await options(), expected));

  it('a retired host is refused with a code that its agent understands', async () => {
    const gone = await side.host('gone');
    await side.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [gone.hostId]);
    const end = await callSession(side.sessionAddress, { key: gone.keyPem, cert: certificatePem(gone.certificate) });
    expect(end).toEqual({
      kind: 'answered',
      status: status.PERMISSION_DENIED,
      details: 'this host was retired; join anew',
    });
  });

  it.each(['session', 'identity'] as const)(
    'no TLS session of the %s listener is resumed, there or at the session listener',
    async (door) => {
      const tickets: Buffer[] = [];
      const first = connectTls(
        tlsOptions(door === 'session' ? side.sessionAddress : side.identityAddress, door === 'session' ? own() : {}),
      );
      first.on('session', (ticket) => tickets.push(ticket)).on('error', () => undefined);
      await new Promise<void>((resolve) => first.once('secureConnect', resolve));
      // The server's first words come after its tickets.
      await new Promise<void>((resolve) => first.once('data', () => resolve()));
      first.destroy();
      for (const ticket of tickets) {
        const again = connectTls(tlsOptions(side.sessionAddress, { ...own(), session: ticket }));
        again.on('error', () => undefined);
        await new Promise<void>((resolve) => again.once('secureConnect', resolve));
        expect(again.isSessionReused()).toBe(false);
        again.destroy();
        // Without a certificate of its own a resumed session would be the way in.
        await check({ session: ticket }, REFUSED);
      }
    },
  );
});

describe('the identity listener', () => {
  it.each([
    ['TLS 1.2', { maxVersion: 'TLSv1.2' }],
    ['TLS 1.0', { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }],
    ['HTTP/1.1 by ALPN', { ALPNProtocols: ['http/1.1'] }],
  ] as const)('%s is refused', async (_what, options) => {
    const end = await leavesNothing(() =>
      callSession(side.identityAddress, {
        ...options,
        ALPNProtocols: 'ALPNProtocols' in options ? [...options.ALPNProtocols] : ['h2'],
      }),
    );
    expect(end.kind).toBe('refused');
  });

  it('has no session service, and needs no certificate', async () => {
    expect(await callSession(side.identityAddress, {})).toMatchObject({
      kind: 'answered',
      status: status.UNIMPLEMENTED,
    });
  });

  /** A request that asks for more than a host gets. */
  async function csr(
    name: string,
    extensions: x509.Extension[] = [],
    algorithm: object = P256,
    hash = 'SHA-256',
  ): Promise<Buffer> {
    const { keys } = await oddKey(algorithm);
    const signingAlgorithm = { ...(algorithm as typeof P256), hash };
    return Buffer.from(
      (await x509.Pkcs10CertificateRequestGenerator.create({ name, keys: keys as never, signingAlgorithm, extensions }))
        .rawData,
    );
  }
  async function enroll(request: Buffer): Promise<TestAgent> {
    const agent = await TestAgent.create('new');
    Object.assign(agent, { csr: request });
    await agent.enroll(side, await side.joinToken());
    return agent;
  }

  const greedy: readonly [string, () => Promise<Buffer>][] = [
    ["another host's id as its subject", () => csr(`CN=${other.hostId}`)],
    [
      "another host's URI",
      () => csr('CN=new', [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: hostUri(other.hostId) }])]),
    ],
    [
      'the name of the server',
      () =>
        csr('CN=modfleet-server', [
          new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'modfleet-server' }]),
        ]),
    ],
    ['CA:TRUE', () => csr('CN=new', [new x509.BasicConstraintsExtension(true, 5, true)])],
    [
      'to sign certificates',
      () =>
        csr('CN=new', [new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true)]),
    ],
    [
      'to be a server',
      () => csr('CN=new', [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth], true)]),
    ],
    [
      'names twice',
      () =>
        csr('CN=a, CN=b', [
          new x509.SubjectAlternativeNameExtension([
            { type: 'dns', value: 'a' },
            { type: 'dns', value: 'a' },
          ]),
        ]),
    ],
    [
      'a NUL in a name',
      () => csr('CN=new\\00x', [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a\0b' }])]),
    ],
    [
      'an extension that nobody knows',
      () => csr('CN=new', [new x509.Extension('1.2.3.4.5', true, new Uint8Array([5, 0]))]),
    ],
  ];
  it.each(greedy)('a request that asks for %s gets what every host gets', async (_what, request) => {
    const agent = await enroll(await request());
    const certificate = new x509.X509Certificate(new Uint8Array(agent.certificate));
    expect(agent.hostId).not.toBe(other.hostId);
    expect(certificate.subject).toBe(`CN=${agent.hostId}`);
    expect(certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON()).toEqual([
      { type: 'url', value: hostUri(agent.hostId) },
    ]);
    expect(certificate.getExtension(x509.BasicConstraintsExtension)?.ca).toBe(false);
    expect(certificate.getExtension(x509.ExtendedKeyUsageExtension)?.usages).toEqual([
      x509.ExtendedKeyUsage.clientAuth,
    ]);
    expect(certificate.getExtension(x509.KeyUsagesExtension)?.usages).toBe(x509.KeyUsageFlags.digitalSignature);
    expect(certificate.getExtension('1.2.3.4.5')).toBeNull();
  });

  const bad: readonly [string, () => Promise<Buffer>][] = [
    ['on RSA of 1024 bits', () => csr('CN=new', [], RSA_1024)],
    ['on P-384', () => csr('CN=new', [], { ...P256, namedCurve: 'P-384' })],
    ['signed with SHA-1', () => csr('CN=new', [], P256, 'SHA-1')],
    ['with bytes behind its end', async () => Buffer.concat([await csr('CN=new'), Buffer.from([1, 2, 3])])],
    ['that is a certificate', () => Promise.resolve(host.certificate)],
    ['that is empty', () => Promise.resolve(Buffer.alloc(0))],
    ['that is cut', async () => (await csr('CN=new')).subarray(0, -4)],
    [
      'that is PEM',
      async () =>
        Buffer.from(
          `-----BEGIN CERTIFICATE REQUEST-----\n${(await csr('CN=new')).toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`,
        ),
    ],
    [
      'that is 60 KB of names',
      () =>
        csr('CN=new', [
          new x509.SubjectAlternativeNameExtension(
            Array.from({ length: 2_000 }, () => ({ type: 'dns' as const, value: `${randomUUID()}.x` })),
          ),
        ]),
    ],
  ];
  it.each(bad)('a request %s is refused, and its token stays unused', async (_what, request) => {
    const der = await request();
    const agent = await TestAgent.create('new');
    Object.assign(agent, { csr: der });
    const token = await side.joinToken();
    const refusal: unknown = await leavesNothing(() => agent.enroll(side, token).catch((error: unknown) => error));
    expect([status.INVALID_ARGUMENT, status.RESOURCE_EXHAUSTED]).toContain((refusal as { code: number }).code);
  });
});
