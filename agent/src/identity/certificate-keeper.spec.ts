import { IdentityStatus } from '@modfleet/proto';
import { beforeEach, describe, expect, it } from 'vitest';
import { createLog } from '../log.ts';
import { TestAuthority } from '../testing/test-authority.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { loadOrMakeKey } from './host-key.ts';
import type { HostIdentity } from './host-identity.ts';
import { createPublicKey } from 'node:crypto';
import { ServerUnreachableError } from './identity-errors.ts';
import type { Renewal } from './identity-questions.ts';
import { KeptIdentity } from './kept-identity.ts';
import { FailingIdentityStore, MemoryIdentityStore } from './memory-identity-store.ts';
import { certificateLife } from './renewal-plan.ts';

const {
  IDENTITY_STATUS_VALID: VALID,
  IDENTITY_STATUS_EXPIRED: EXPIRED,
  IDENTITY_STATUS_REVOKED: REVOKED,
} = IdentityStatus;
const HOUR_MS = 3_600_000;
const HOST = '5f0a1c9e-5a55-4a2b-9c1f-2f6f3a6a1b11';

/** Server time, which every other clock here is made of. */
let nowMs: number;
let authority: TestAuthority;
let key: string;
let spki: Buffer;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 29);
  authority = await TestAuthority.create();
  key = await loadOrMakeKey(new MemoryIdentityStore());
  spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
});

/** An identity with a certificate of a day from `nowMs` on. */
async function identityOfADay(): Promise<HostIdentity> {
  const days = (ms: number): number => (ms - Date.now()) / 86_400_000;
  const dates = { fromDays: days(nowMs), toDays: days(nowMs + 24 * HOUR_MS) };
  const der = await authority.host(HOST, spki, dates);
  const certificatePem = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
  return {
    hostId: HOST,
    certificatePem,
    caPem: authority.certificatePem,
    trustGeneration: 0,
    server: { host: 'h', identityPort: 1, sessionPort: 2 },
  };
}

/** A keeper whose server answers what the test says. The machine's own clock stands at 1970: nothing may follow it. */
async function keeperOf(store: Pick<MemoryIdentityStore, 'save'> = new MemoryIdentityStore()) {
  const lines: string[] = [];
  const bootClock = { nowMs: () => nowMs - 1_000_000 };
  const serverTime = { known: true };
  const kept = new KeptIdentity(store, await identityOfADay(), key, bootClock, () => 0);
  const server = {
    diagnosis: VALID as IdentityStatus,
    renewals: 0,
    asked: 0,
    renew: async (): Promise<Renewal> => ({ status: VALID, serverTimeMs: nowMs, identity: await identityOfADay() }),
  };
  const moved: number[] = [];
  const keeper = new CertificateKeeper({
    kept,
    ask: (_kept, run) => {
      server.asked += 1;
      return run({
        diagnose: () => Promise.resolve({ status: server.diagnosis, serverTimeMs: nowMs }),
        renew: () => {
          server.renewals += 1;
          return server.renew();
        },
      });
    },
    readBootId: () => Promise.resolve('b1'),
    bootClock,
    serverClock: { now: () => (serverTime.known ? { ms: nowMs, errorMs: 10 } : undefined) },
    log: createLog('info', (line) => lines.push(line)),
    random: () => 0.5,
    onRenewed: (withinMs) => moved.push(withinMs),
  });
  return { keeper, kept, server, serverTime, moved, lines };
}

describe('a certificate', () => {
  it('is renewed at two thirds of its life, again and again, by the server’s time alone', async () => {
    const { keeper, kept, server, moved } = await keeperOf();
    const hours: number[] = [];
    const begun = nowMs;
    for (let minute = 0; minute < 48 * 60; minute += 1) {
      nowMs += 60_000;
      const before = server.renewals;
      await keeper.check();
      if (server.renewals > before) hours.push(Math.round((nowMs - begun) / HOUR_MS));
    }
    expect(hours).toEqual([16, 32, 48]);
    expect(moved).toEqual([HOUR_MS, HOUR_MS, HOUR_MS]);
    expect(certificateLife(kept.current.certificatePem).toMs).toBeGreaterThan(nowMs + 23 * HOUR_MS);
  });

  it('is not renewed while nobody knows what time it is', async () => {
    const { keeper, server, serverTime } = await keeperOf();
    nowMs += 20 * HOUR_MS;
    serverTime.known = false;
    await keeper.check();
    expect(server.asked).toBe(0);
  });

  it('is asked for again after trouble, ever more seldom, and in time', async () => {
    const { keeper, server, moved, lines } = await keeperOf();
    server.renew = () => Promise.reject(new ServerUnreachableError('h', 1, 'ECONNREFUSED'));
    nowMs += 16 * HOUR_MS;
    const end = nowMs + 4 * HOUR_MS;
    for (; nowMs < end; nowMs += 30_000) await keeper.check();
    // Every 5 minutes on average once it has failed often.
    expect(server.renewals).toBeGreaterThan(40);
    expect(server.renewals).toBeLessThan(60);
    expect(lines.join('')).toContain('could not be renewed yet: cannot reach the server');
    server.renew = async () => ({ status: VALID, serverTimeMs: nowMs, identity: await identityOfADay() });
    nowMs += HOUR_MS;
    await keeper.check();
    expect(moved).toHaveLength(1);
  });

  it('is not used before it is on disk: what cannot be kept is not gone by', async () => {
    const { keeper, kept, server, moved, lines } = await keeperOf(new FailingIdentityStore());
    const before = kept.current;
    nowMs += 16 * HOUR_MS + 1;
    await keeper.check();
    expect(server.renewals).toBe(1);
    expect(kept.current).toBe(before);
    expect(moved).toEqual([]);
    expect(lines.join('')).toContain('could not be renewed yet: the disk fails');
  });
});

describe('an inquiry', () => {
  it('cures what another certificate can cure', async () => {
    const { keeper, kept, server } = await keeperOf();
    const before = kept.current;
    server.diagnosis = EXPIRED;
    expect(await keeper.inquire()).toMatchObject({ status: VALID, renewed: true });
    expect(kept.current).not.toBe(before);
  });

  it.each([VALID, REVOKED, IdentityStatus.IDENTITY_STATUS_DELETED, IdentityStatus.IDENTITY_STATUS_UNKNOWN])(
    'asks for none where none helps (%i)',
    async (status) => {
      const { keeper, server } = await keeperOf();
      server.diagnosis = status;
      expect(await keeper.inquire()).toMatchObject({ status, renewed: false });
      expect(server.renewals).toBe(0);
    },
  );

  it('says what the server said when it gives none: expired too long ago', async () => {
    const { keeper, kept, server } = await keeperOf();
    const before = kept.current;
    server.diagnosis = EXPIRED;
    server.renew = () => Promise.resolve({ status: EXPIRED, serverTimeMs: nowMs, identity: undefined });
    expect(await keeper.inquire()).toMatchObject({ status: EXPIRED, renewed: false });
    expect(kept.current).toBe(before);
  });

  it('teaches the time that certificates are held against, whatever this machine’s clock says', async () => {
    const { keeper, kept } = await keeperOf();
    expect(kept.credentials().now.getTime()).toBe(0);
    await keeper.inquire();
    nowMs += HOUR_MS;
    expect(kept.credentials().now.getTime()).toBe(nowMs);
    expect(kept.clockAheadMs()).toBe(-nowMs);
  });

  it('is one at a time', async () => {
    const { keeper, server } = await keeperOf();
    await Promise.all([keeper.inquire(), keeper.inquire(), keeper.inquire()]);
    expect(server.asked).toBe(1);
  });
});
