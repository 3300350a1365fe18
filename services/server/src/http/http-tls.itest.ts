import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { createFastifyAdapter } from './fastify-app.ts';

const ASK = 'GET /ask HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';

describe('the API over TLS of modfleet’s own CA', () => {
  let folder: string;
  let caPem: string;
  let port: number;
  let fastify: FastifyInstance;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-http-tls-'));
    const authority = await CertificateAuthority.open(folder);
    caPem = authority.certificatePem;
    const own = await authority.issueServerIdentity([]);
    const identity = { cert: own.certificatePem, key: own.keyPem };
    fastify = createFastifyAdapter({ trustedProxy: null, httpTls: { kind: 'own-ca' } }, identity).getInstance();
    fastify.get('/ask', () => 'answered');
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    port = (fastify.server.address() as { port: number }).port;
  });
  afterAll(async () => {
    await fastify?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const dial = (options: ConnectionOptions): TLSSocket =>
    connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: caPem, ...options });

  /** What comes back, or why nothing does. */
  const asked = (options: ConnectionOptions): Promise<string> =>
    new Promise((resolve) => {
      let answer = '';
      const socket = dial(options);
      socket.once('secureConnect', () => socket.write(ASK));
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.once('error', (error) => resolve(`refused: ${error.message}`));
      socket.once('close', () => resolve(answer === '' ? 'closed' : answer));
    });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is answered, to who checks its certificate', async (version) => {
    expect(await asked({ minVersion: version, maxVersion: version })).toMatch(/^HTTP\/1\.1 200 /);
  });

  it.each(['TLSv1', 'TLSv1.1'] as const)('%s is refused', async (version) => {
    expect(await asked({ minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' })).toMatch(
      /^refused/,
    );
  });

  it('another CA does not find it good', async () => {
    const other = await CertificateAuthority.open(join(folder, 'other'));
    expect(await asked({ ca: other.certificatePem })).toMatch(/^refused/);
  });

  it('plain HTTP is closed without an answer', async () => {
    const answer = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connectTcp(port, '127.0.0.1', () => socket.write(ASK));
      socket.on('data', (chunk) => (text += chunk.toString('latin1')));
      socket.on('error', () => undefined);
      socket.once('close', () => resolve(text));
    });
    expect(answer).not.toContain('HTTP/1.1 200');
    expect(answer).not.toContain('answered');
  });
});
