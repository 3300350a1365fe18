import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { HeldSession, LeaveReason } from '../agent-session/session-registry.service.ts';
import { SessionRegistry } from '../agent-session/session-registry.service.ts';
import type { ReleasedHost, RevokedHost } from '../api-types.ts';
import { AuditService } from '../audit/audit.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { quarantine } from '../quarantine/quarantine.ts';
import { ApiServer } from '../testing/api-server.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { releaseHostSchema, revokeHostSchema } from './host-access.schema.ts';
import { hostListSchema, hostSchema } from './hosts.schema.ts';

let server: ApiServer;
let fleet: Fleet;

onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(() => {
  fleet = new Fleet(server.app);
});

/** A session of the host, held here; answers how it was ended. */
function hold(hostId: string): LeaveReason[] {
  const ends: LeaveReason[] = [];
  const session: HeldSession = {
    hostId,
    sessionNo: 1,
    quarantined: false,
    certificateEndsMs: Number.POSITIVE_INFINITY,
    probe: () => Promise.resolve(true),
    leave: (reason) => void ends.push(reason),
    quarantine: () => undefined,
    holdBack: () => undefined,
    casChanged: () => undefined,
  };
  server.app.get(SessionRegistry).hold(session);
  return ends;
}

const metrics = (): Promise<string> => server.app.get(Metrics).registry.metrics();

describe('POST /hosts/{host}/revoke', () => {
  it('takes the host its access once and for all, ends its session, and shows who did it and why', async () => {
    const id = await fleet.add({ name: 'stolen-1', loaded: ['floppy'] });
    const ends = hold(id);
    const answer = await server.call<RevokedHost>('POST', '/api/v1/hosts/stolen-1/revoke', {
      body: { reason: 'key stolen' },
    });
    expect(answer.status).toBe(200);
    expect(revokeHostSchema.parse(answer.body)).toMatchObject({
      host: { id },
      revokedBy: 'tests',
      reason: 'key stolen',
    });
    await comesTrue(() => expect(ends).toContain('revoked'));
    const shown = await server.read('/hosts/stolen-1', hostSchema);
    expect(shown).toMatchObject({ connection: 'revoked', connected: false, revokeReason: 'key stolen' });
    expect(shown.facets.map(({ coverage, reason }) => `${coverage} ${reason}`)).toContain(
      'incapable revoked: key stolen',
    );
    expect((await server.read('/hosts?name=stolen-*', hostListSchema)).items).toMatchObject([
      { connection: 'revoked' },
    ]);
    const again = await server.call('POST', '/api/v1/hosts/stolen-1/revoke', { body: { reason: 'again' } });
    expect(again.body).toMatchObject({ status: 409, code: 'host_revoked' });
    expect(again.body.detail).toMatch(/stolen-1 .* was revoked at .* \(key stolen\)/);
    const action = await server.call('POST', '/api/v1/actions', {
      body: { host: 'stolen-1', verb: 'unload', kmod: 'floppy' },
    });
    expect(action.body).toMatchObject({ status: 409, code: 'host_revoked' });
    expect(await metrics()).toContain('modfleet_hosts_standing{standing="revoked"} 1');
  });

  it('wants a reason, a host that is there, and an Idempotency-Key', async () => {
    await fleet.add({ name: 'kept-1', loaded: [] });
    const revoke = (host: string, body: object) => server.call('POST', `/api/v1/hosts/${host}/revoke`, { body });
    expect((await revoke('kept-1', {})).body).toMatchObject({ status: 400, code: 'body_invalid' });
    expect((await revoke('kept-1', { reason: ' ' })).body).toMatchObject({ status: 400, code: 'body_invalid' });
    expect((await revoke('kept-9', { reason: 'x' })).body).toMatchObject({ status: 404, code: 'host_not_found' });
    expect(await server.read('/hosts/kept-1', hostSchema)).toMatchObject({ connection: 'connected', revokedAt: null });
  });
});

describe('POST /hosts/{host}/quarantine/release', () => {
  it('lets a host act again, and answers which machines were seen', async () => {
    const id = await fleet.add({ name: 'twice-1', loaded: ['floppy'] });
    const newcomer = { bootId: randomUUID(), peer: '10.9.9.9:4711', counter: 3, how: 'renewal' as const };
    await server.database.tx('READ COMMITTED', (sql) =>
      quarantine(sql, server.app.get(AuditService), { id, counter: 4 }, 'two machines', newcomer),
    );
    const shown = await server.read('/hosts/twice-1', hostSchema);
    expect(shown).toMatchObject({ connection: 'quarantined', quarantineReason: 'two machines' });
    expect(shown.machines.map(({ address, certificate }) => [address, certificate])).toContainEqual(['10.9.9.9', 3]);
    expect(shown.machines).toHaveLength(2);
    expect(await metrics()).toContain('modfleet_hosts_standing{standing="quarantined"} 1');
    const ends = hold(id);
    const answer = await server.call<ReleasedHost>('POST', '/api/v1/hosts/twice-1/quarantine/release', { body: {} });
    expect(answer.status).toBe(200);
    expect(releaseHostSchema.parse(answer.body)).toMatchObject({
      host: { id },
      quarantineReason: 'two machines',
      machines: shown.machines,
    });
    await comesTrue(() => expect(ends).toContain('released'));
    expect(await server.read('/hosts/twice-1', hostSchema)).toMatchObject({ quarantineReason: null, machines: [] });
    const decided = await server.database.query<{ what: string }>(
      'SELECT what FROM audit.entry WHERE object = $1 ORDER BY at, number',
      [id],
    );
    expect(decided.map(({ what }) => what).toSorted()).toEqual(['host.quarantine', 'host.release']);
    const again = await server.call('POST', '/api/v1/hosts/twice-1/quarantine/release', { body: {} });
    expect(again.body).toMatchObject({ status: 409, code: 'host_not_quarantined' });
  });
});
