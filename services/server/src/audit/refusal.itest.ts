import { describe, expect, it } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { selectRows } from './audit-read.queries.ts';
import type { SealedRow } from './audit.model.ts';

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

const refusals = async (): Promise<SealedRow[]> =>
  (await selectRows(server.database, { what: 'request.refuse' })).toReversed();

describe('what a caller may not', () => {
  it('is recorded: at the route and on the host, a change and a read, once a minute; not for who shows no credential', async () => {
    const { token: viewer } = await testCaller(server.app, [['viewer', null]]);
    const { token: staging } = await testCaller(server.app, [['admin', 'env=staging']]);
    const id = await new Fleet(server.app).add({ name: 'prod-1', labels: { env: 'prod' } });
    const own = await new Fleet(server.app).add({ name: 'staging-1', labels: { env: 'staging' } });
    const body = { hosts: [id], labels: { team: 'a' } };
    await server.call('PATCH', '/api/v1/hosts', { body, token: viewer });
    await server.call('PATCH', '/api/v1/hosts', { body: { ...body, hosts: [own] }, token: viewer });
    // The host is in its hands; where it would go is not.
    await server.call('PATCH', '/api/v1/hosts', { body: { hosts: [own], labels: { env: 'prod' } }, token: staging });
    await server.call('DELETE', `/api/v1/hosts/${id}`, { body: {}, token: viewer });
    await server.call('POST', '/api/v1/grants', { body: { account: 'x', role: 'viewer' }, token: viewer });
    await server.call('GET', '/api/v1/audit?who=somebody', { token: staging });
    await server.call('PATCH', '/api/v1/hosts', { body, token: null });
    const seen = await refusals();
    expect(seen.map(({ object, outcome, via }) => `${via} ${object} ${outcome}`)).toEqual([
      'http PATCH /api/v1/hosts forbidden',
      'http PATCH /api/v1/hosts forbidden',
      `http DELETE /api/v1/hosts/${id} forbidden`,
      'http POST /api/v1/grants forbidden',
      'http GET /api/v1/audit forbidden',
    ]);
    expect(seen[2]?.details).toBe('{"route":"DELETE /api/v1/hosts/:host"}');
    expect(seen[0]?.actorId).not.toBe(seen[1]?.actorId);
  });

  it('stays refused where that cannot be recorded, and is recorded the next time', async () => {
    const { token: viewer } = await testCaller(server.app, [['viewer', null]]);
    const freeze = () => server.call('POST', '/api/v1/freeze', { body: { reason: 'x' }, token: viewer });
    const before = (await refusals()).length;
    await server.database.query('ALTER TABLE audit.entry RENAME TO lost');
    const refused = await freeze();
    await server.database.query('ALTER TABLE audit.lost RENAME TO entry');
    expect([refused.status, refused.body.code]).toEqual([403, 'forbidden']);
    expect(await refusals()).toHaveLength(before);
    await freeze();
    expect(await refusals()).toHaveLength(before + 1);
  });
});
