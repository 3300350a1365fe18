import { sign, verify, X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { diagnoseRequestBytes, diagnosisBytes, IdentityStatus } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { TestAgent } from '../testing/test-agent.ts';
import { JoinTokenService } from './join-token.service.ts';

describe('enrolment', () => {
  let side: AgentSide;
  onTestDatabase(async (url) => (side = await AgentSide.start(url)));

  const codeOf = (error: unknown): unknown => (error as { code?: unknown }).code;
  const hostsNamed = (name: string): Promise<{ id: string; labels: Record<string, string> }[]> =>
    side.database.query('SELECT id, labels FROM host WHERE name = $1', [name]);

  it('makes one host of fifty machines that try one single-use token at once', async () => {
    const token = await side.joinToken({ labels: { env: 'prod' } });
    const agents = await Promise.all(Array.from({ length: 50 }, () => TestAgent.create('fifty')));
    const results = await Promise.allSettled(agents.map((agent) => agent.enroll(side, token)));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [codeOf(result.reason)] : []));
    expect(refused).toEqual(Array.from({ length: 49 }, () => status.PERMISSION_DENIED));
    expect((await hostsNamed('fifty')).map((host) => host.labels)).toEqual([{ env: 'prod' }]);
  });

  it('answers the same host to the same token and key, however often and at once', async () => {
    const token = await side.joinToken();
    const agent = await TestAgent.create('again');
    const answers = await Promise.all(Array.from({ length: 5 }, () => agent.enroll(side, token)));
    expect(new Set(answers.map((answer) => answer.hostId)).size).toBe(1);
    expect(await hostsNamed('again')).toHaveLength(1);
    const certificate = new X509Certificate(agent.certificate);
    expect(certificate.subject).toBe(`CN=${agent.hostId}`);
    const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000;
    expect(Math.round(days)).toBe(1);
  });

  it('counts uses: a token for two makes two hosts and no third', async () => {
    const token = await side.joinToken({ maxUses: 2 });
    for (const name of ['two-a', 'two-b']) await (await TestAgent.create(name)).enroll(side, token);
    await expect((await TestAgent.create('two-c')).enroll(side, token)).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringContaining('used up'),
    });
  });

  it('refuses tokens that are unknown, expired or revoked, and makes nothing', async () => {
    const agent = await TestAgent.create('refused');
    await expect(agent.enroll(side, `mfj_${'A'.repeat(43)}`)).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
    const expired = await side.joinToken({ expiresInSeconds: 0 });
    await expect(agent.enroll(side, expired)).rejects.toMatchObject({ details: expect.stringContaining('expired') });
    const tokens = side.app.get(JoinTokenService);
    const revoked = await side.database.tx('READ COMMITTED', async (sql) => {
      const made = await tokens.create(sql, { maxUses: 1, expiresInSeconds: 60 }, SERVER_SOURCE);
      await tokens.revoke(sql, made.joinToken.id, SERVER_SOURCE);
      return made;
    });
    await expect(agent.enroll(side, revoked.joinString.split('.')[0] ?? '')).rejects.toMatchObject({
      details: expect.stringContaining('revoked'),
    });
    expect(await hostsNamed('refused')).toEqual([]);
  });

  it('never gives a retired host back to its key', async () => {
    const token = await side.joinToken({ maxUses: 2 });
    const agent = await TestAgent.create('retired');
    await agent.enroll(side, token);
    await side.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [agent.hostId]);
    await expect(agent.enroll(side, token)).rejects.toMatchObject({ code: status.FAILED_PRECONDITION });
    await expect(agent.enroll(side, await side.joinToken())).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
    });
  });

  it('refuses requests and facts that are not fit', async () => {
    const agent = await TestAgent.create('unfit');
    Object.defineProperty(agent, 'csr', { value: Buffer.from('nonsense') });
    await expect(agent.enroll(side, await side.joinToken())).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    for (const name of ['bad\u001b[2Jname', 'bad\u009b2Jname', 'two\nlines']) {
      const escape = await TestAgent.create(name);
      await expect(escape.enroll(side, await side.joinToken())).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
      });
    }
  });

  describe('diagnosis', () => {
    const signer = (agent: TestAgent) => (nonce: Buffer) =>
      sign('sha256', diagnoseRequestBytes(nonce), { key: agent.keyPem, dsaEncoding: 'ieee-p1363' });

    it('says how a host stands, signed by the CA over the nonce', async () => {
      const agent = await side.host('diagnosed');
      const ask = async (): Promise<IdentityStatus> => {
        const { answer, nonce } = await agent.diagnose(side.identityAddress, signer(agent));
        const signed = diagnosisBytes(nonce, answer.status, answer.serverTimeMs);
        const key = new X509Certificate(side.ca.certificate).publicKey;
        expect(verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, answer.signature)).toBe(true);
        return answer.status;
      };
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_VALID);
      await side.database.query(`UPDATE host SET quarantined_at = now() WHERE id = $1`, [agent.hostId]);
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_QUARANTINED);
      await side.database.query('UPDATE host SET quarantined_at = NULL WHERE id = $1', [agent.hostId]);
      const first = agent.certificate;
      for (let times = 0; times < 2; times++) await agent.renew(side.identityAddress);
      const last = agent.certificate;
      agent.certificate = first;
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_SUPERSEDED);
      agent.certificate = last;
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_VALID);
      await side.database.query('UPDATE host SET revoked_at = now() WHERE id = $1', [agent.hostId]);
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_REVOKED);
      await side.database.query('UPDATE host SET retired_at = now() WHERE id = $1', [agent.hostId]);
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_DELETED);
      await side.database.query('DELETE FROM host WHERE id = $1', [agent.hostId]);
      expect(await ask()).toBe(IdentityStatus.IDENTITY_STATUS_UNKNOWN);
    });

    it('answers only to who holds the key, and each nonce once', async () => {
      const agent = await side.host('prover');
      const other = await TestAgent.create('other');
      await expect(agent.diagnose(side.identityAddress, signer(other))).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
      const { nonce } = await agent.diagnose(side.identityAddress, signer(agent));
      await expect(agent.diagnose(side.identityAddress, signer(agent), nonce)).rejects.toMatchObject({
        code: status.PERMISSION_DENIED,
      });
    });
  });
});
