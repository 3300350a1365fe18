import { sign, X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { IdentityStatus, renewRequestBytes } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { counterOf, serialOf } from '../ca/certificate-serial.ts';
import { sightingsOf } from '../quarantine/quarantine.queries.ts';
import { AgentSide } from '../testing/agent-side.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { TestAgent } from '../testing/test-agent.ts';
import type { HostIdentityRow } from './host.queries.ts';
import { decideRenewal } from './identity-status.ts';
import { NonceStore } from './nonce-store.ts';
import { JUDGED_WITHIN_MS, RenewService } from './renew.service.ts';

const DAY_MS = 86_400_000;

const { IDENTITY_STATUS_VALID: VALID, IDENTITY_STATUS_QUARANTINED: QUARANTINED } = IdentityStatus;

describe('renewal', () => {
  let side: AgentSide;
  let databaseUrl: string;
  onTestDatabase(async (url) => (side = await AgentSide.start((databaseUrl = url))));

  const counter = (agent: TestAgent): number => counterOf(serialOf(new X509Certificate(agent.certificate)));
  const renew = async (agent: TestAgent, options = {}): Promise<IdentityStatus> =>
    (await agent.renew(side.identityAddress, options)).status;
  const quarantine = async (agent: TestAgent): Promise<string | null> => {
    const [row] = await side.database.query<{ reason: string | null }>(
      'SELECT quarantine_reason AS reason FROM host WHERE id = $1',
      [agent.hostId],
    );
    return row?.reason ?? null;
  };

  it('gives the same key another certificate of a day, with a higher number', async () => {
    const agent = await side.host('renews');
    const before = new X509Certificate(agent.certificate);
    expect(await renew(agent)).toBe(VALID);
    const after = new X509Certificate(agent.certificate);
    expect(after.publicKey.equals(before.publicKey)).toBe(true);
    expect(after.subject).toBe(before.subject);
    expect([counterOf(serialOf(before)), counter(agent)]).toEqual([1, 2]);
    expect(Math.round((after.validToDate.getTime() - Date.now()) / 3_600_000)).toBe(24);
    expect(Math.round((Date.now() - after.validFromDate.getTime()) / 60_000)).toBe(5);
  });

  it('answers a renewal whose answer was lost again, however often, and calls nobody a clone', async () => {
    const agent = await side.host('lost');
    for (let lost = 0; lost < 4; lost++) expect(await renew(agent, { lose: true })).toBe(VALID);
    expect(await renew(agent)).toBe(VALID);
    expect(await renew(agent)).toBe(VALID);
    expect(counter(agent)).toBe(7);
    expect(await quarantine(agent)).toBeNull();
  });

  it('puts a host into quarantine whose older certificate comes after a later one was used, and shows both machines', async () => {
    const agent = await side.host('original');
    const copy = agent.clone();
    await renew(agent);
    await renew(agent);
    expect(await renew(copy)).toBe(QUARANTINED);
    expect(await quarantine(agent)).toMatch(
      /two machines use this identity.*127\.0\.0\.1.*certificate 2.*127\.0\.0\.1.*certificate 1/,
    );
    // Both go on reporting, whoever they are.
    expect(await renew(agent)).toBe(QUARANTINED);
    expect(await renew(copy)).toBe(QUARANTINED);
    const seen = await sightingsOf(side.database, agent.hostId);
    expect(seen.map(({ bootId }) => bootId).toSorted()).toEqual([agent.bootId, copy.bootId].toSorted());
  });

  it('notices a copy that renewed first, once the original comes back', async () => {
    const agent = await side.host('copied-first');
    const copy = agent.clone();
    expect(await renew(copy)).toBe(VALID);
    expect(await renew(copy)).toBe(VALID);
    expect(await renew(agent)).toBe(QUARANTINED);
  });

  it('takes what a database restored from a backup has forgotten', async () => {
    const agent = await side.host('restored');
    for (let times = 0; times < 3; times++) await renew(agent);
    await side.database.query(`UPDATE host SET renewal_counter = 1, certificate_used = '' WHERE id = $1`, [
      agent.hostId,
    ]);
    expect(await renew(agent)).toBe(VALID);
    expect(counter(agent)).toBe(5);
    expect(await renew(agent)).toBe(VALID);
  });

  it('says why there is none: revoked, deleted, unknown', async () => {
    const agent = await side.host('refused');
    const set = (what: string): Promise<unknown> =>
      side.database.query(`UPDATE host SET ${what} WHERE id = $1`, [agent.hostId]);
    await set('revoked_at = now()');
    expect((await agent.renew(side.identityAddress)).certificate).toHaveLength(0);
    expect(await renew(agent)).toBe(IdentityStatus.IDENTITY_STATUS_REVOKED);
    await set('retired_at = now()');
    expect(await renew(agent)).toBe(IdentityStatus.IDENTITY_STATUS_DELETED);
    await side.database.query('DELETE FROM host WHERE id = $1', [agent.hostId]);
    expect(await renew(agent)).toBe(IdentityStatus.IDENTITY_STATUS_UNKNOWN);
  });

  it('gives nothing to who does not hold the key, nor for a certificate of another host or another CA', async () => {
    const agent = await side.host('mine');
    const other = await side.host('other');
    await expect(agent.renew(side.identityAddress, { with: other.certificate })).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
    });
    const thief = await side.host('thief');
    thief.hostId = agent.hostId;
    expect(await renew(thief)).toBe(IdentityStatus.IDENTITY_STATUS_UNKNOWN);
    const stranger = await AgentSide.start(databaseUrl);
    try {
      const foreign = await stranger.host('foreign');
      foreign.caPem = side.ca.certificatePem;
      expect(await renew(foreign)).toBe(IdentityStatus.IDENTITY_STATUS_UNKNOWN);
    } finally {
      await stranger.stop();
    }
  });

  it('concludes nothing from a call that was given up, or that waited longer than an agent does: not even of a copy', async () => {
    const agent = await side.host('slow');
    const copy = agent.clone();
    await agent.renew(side.identityAddress);
    await agent.renew(side.identityAddress);
    const ask = (ageMs: number, waits: boolean): Promise<unknown> => {
      const nonce = side.app.get(NonceStore).issue(performance.now() - ageMs);
      const signed = renewRequestBytes(nonce, copy.certificate, copy.bootId);
      const signature = sign('sha256', signed, { key: copy.keyPem, dsaEncoding: 'ieee-p1363' });
      const request = { hostId: copy.hostId, certificate: copy.certificate, nonce, signature, bootId: copy.bootId };
      return side.app.get(RenewService).renew(request, '192.0.2.1:1', () => waits);
    };
    await expect(ask(0, false)).rejects.toMatchObject({ code: 'renewal_late' });
    await expect(ask(JUDGED_WITHIN_MS, true)).rejects.toMatchObject({ code: 'renewal_late' });
    expect(await quarantine(agent)).toBeNull();
    expect(await ask(0, true)).toMatchObject({ status: QUARANTINED });
  });

  it('renews what has ended for 30 days; a longer time counts only when the database has not heard of the host either', async () => {
    const agent = await side.host('away');
    const serial = new X509Certificate(agent.certificate);
    const row = (silentDays: number): HostIdentityRow => ({
      id: agent.hostId,
      keyFingerprint: Buffer.alloc(32),
      certificateSerial: '',
      retired: false,
      quarantined: false,
      quarantineReason: null,
      revoked: false,
      renewalCounter: 1,
      certificateUsed: '',
      silentMs: silentDays * DAY_MS,
      lastAddress: null,
      lastBootId: null,
    });
    const step = (endedDays: number, silentDays: number): string =>
      decideRenewal(serial, row(silentDays), serial.validToDate.getTime() + endedDays * DAY_MS).kind;
    expect([step(29.9, 31), step(31, 29), step(31, 31), step(365, 1), step(-400, 1)]).toEqual([
      'issue',
      'issue',
      'refuse',
      'issue',
      'issue',
    ]);
  });
});
