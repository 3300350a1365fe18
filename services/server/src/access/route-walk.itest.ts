import { beforeAll, describe, expect, it } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { testCaller } from '../testing/test-access.ts';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { SignInService } from '../sign-in/sessions/sign-in.service.ts';
import { AccessRepository } from './access.repository.ts';
import { AccessService } from './access.service.ts';
import { PERMISSIONS, type Role } from './roles.ts';
import { ROUTE_TABLE, type RouteRule } from './route-table.ts';

/*
 * Every route that really exists, called by every kind of identity; what comes is compared with what the table says. The expectation is worked out here
 * once more, from the table alone. On which hosts a caller may do it is in host-scope.itest.ts.
 */

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));

/** What a call met: nobody, a known caller who may not, or the route itself (which then may well find the request wrong). */
type Met = 'unauthenticated' | 'forbidden' | 'let in';

interface Identity {
  readonly token: string | null;
  /** Codes that a refusal has, where it is not for want of a grant. */
  readonly refusedAs?: string;
  readonly grants?: readonly (readonly [Role, string | null])[];
  readonly routes?: readonly string[];
}

const identities: Record<string, Identity> = {};
const KINDS = [
  'none',
  'rubbish',
  'unknown token',
  'expired token',
  'revoked token',
  'disabled account',
  'changed token',
  'no grant',
  'viewer',
  'viewer of some hosts',
  'operator',
  'operator of some hosts',
  'approver',
  'admin',
  'admin of some hosts',
  'admin, token narrowed to other routes',
  'signed-in viewer',
  'signed-in admin of some hosts',
  'ended sign-in',
  'sign-in made for a cookie',
] as const;

beforeAll(async () => {
  const { app } = server;
  const make = async (kind: string, grants: Identity['grants'] & object, routes?: string[]) => {
    const { token } = await testCaller(app, grants, routes === undefined ? {} : { routes });
    identities[kind] = { token, grants, ...(routes === undefined ? {} : { routes }) };
  };
  await make('no grant', []);
  await make('viewer', [['viewer', null]]);
  await make('viewer of some hosts', [['viewer', 'env=staging']]);
  await make('operator', [['operator', null]]);
  await make('operator of some hosts', [['operator', 'env=staging']]);
  await make('approver', [['approver', null]]);
  await make('admin', [['admin', null]]);
  await make('admin of some hosts', [['admin', 'env=staging']]);
  await make('admin, token narrowed to other routes', [['admin', null]], ['GET /api/v1/hosts']);
  identities['none'] = { token: null, refusedAs: 'unauthenticated' };
  identities['rubbish'] = { token: 'rubbish', refusedAs: 'unauthenticated' };
  identities['unknown token'] = { token: `mfl_${'x'.repeat(43)}`, refusedAs: 'unauthenticated' };
  const expired = await testCaller(app, [['admin', null]], { expiresInSeconds: 0.001 });
  identities['expired token'] = { token: expired.token, refusedAs: 'token_expired' };
  const revoked = await testCaller(app, [['admin', null]]);
  const disabled = await testCaller(app, [['admin', null]]);
  const changed = await testCaller(app, [['admin', null]], { expiresInSeconds: 600 });
  const repository = app.get(AccessRepository);
  await server.database.tx('READ COMMITTED', async (sql) => {
    await repository.revokeToken(sql, revoked.tokenId, 'tests');
    await repository.setDisabled(sql, disabled.accountId, 'tests', true);
  });
  await server.database.query('UPDATE api_token SET expires_at = NULL WHERE id = $1', [changed.tokenId]);
  await app.get(AccessService).changed();
  identities['revoked token'] = { token: revoked.token, refusedAs: 'token_revoked' };
  identities['disabled account'] = { token: disabled.token, refusedAs: 'account_disabled' };
  const signIn = async (kind: string, grants: Identity['grants'] & object, refusedAs?: string) => {
    const carrier = kind === 'sign-in made for a cookie' ? 'cookie' : 'bearer';
    const { accountId } = await testCaller(app, grants);
    const visitor = { way: 'password', address: '127.0.0.1', agent: 'tests' } as const;
    const { id, secret } = await app
      .get(SignInService, { strict: false })
      .start(server.database, { accountId, carrier, ...visitor });
    identities[kind] = { token: secret, grants, ...(refusedAs === undefined ? {} : { refusedAs }) };
    return id;
  };
  await signIn('signed-in viewer', [['viewer', null]]);
  await signIn('signed-in admin of some hosts', [['admin', 'env=staging']]);
  const ended = await signIn('ended sign-in', [['admin', null]], 'session_ended');
  await server.database.tx('READ COMMITTED', (sql) =>
    app.get(SignInService, { strict: false }).end(sql, SERVER_SOURCE, ended, null),
  );
  await signIn('sign-in made for a cookie', [['admin', null]], 'session_ended');
  identities['changed token'] = { token: changed.token, refusedAs: 'access_seal_broken' };
});

function expected(route: string, rule: RouteRule, identity: Identity): Met {
  // The listener of the test is on loopback, so a scrape is open.
  if (rule.access === 'public' || rule.access === 'scrape') return 'let in';
  if (identity.refusedAs !== undefined) return 'unauthenticated';
  // Whoever calls may ask who they are.
  if (identity.routes !== undefined && route !== 'GET /api/v1/me' && !identity.routes.includes(route))
    return 'forbidden';
  if (rule.may === undefined) return 'let in';
  const roles: readonly Role[] = PERMISSIONS[rule.may];
  const helps = (identity.grants ?? []).filter(([role]) => roles.includes(role));
  const enough = rule.over === 'some' ? helps : helps.filter(([, selector]) => selector === null);
  return enough.length > 0 ? 'let in' : 'forbidden';
}

describe('every route', () => {
  it('has a row in the table, and every row a route', () => {
    const real = new Set(server.routes.filter((route) => !route.startsWith('HEAD ')));
    expect([...real].sort()).toEqual(Object.keys(ROUTE_TABLE).sort());
  });

  it.each(KINDS.flatMap((kind) => Object.keys(ROUTE_TABLE).map((route) => ({ kind, route }))))(
    '$route by: $kind',
    async ({ kind, route }) => {
      const [method = '', pattern = ''] = route.split(' ');
      const rule = ROUTE_TABLE[route];
      const identity = identities[kind];
      if (rule === undefined || identity === undefined) throw new Error('a row without a rule or identity');
      const answer = await server.app.inject({
        method: method as 'GET',
        // What follows for ever is refused by what it is asked, once it is let in.
        url: pattern.replaceAll(/:\w+/g, 'x') + (pattern === '/api/v1/events/watch' ? '?walk=true' : ''),
        headers: {
          ...(identity.token === null ? {} : { authorization: `Bearer ${identity.token}` }),
          ...(method === 'GET'
            ? {}
            : { 'idempotency-key': `walk ${kind} ${route}`.replaceAll(' ', '-'), 'content-type': 'application/json' }),
        },
        // Not what any route takes: what is let in changes nothing.
        ...(method === 'GET' ? {} : { payload: '{"walk":true}' }),
      });
      const code =
        answer.headers['content-type']?.toString().includes('problem') === true
          ? answer.json<{ code: string }>().code
          : '';
      const met: Met =
        code === 'forbidden' ? 'forbidden' : code !== '' && code === identity.refusedAs ? 'unauthenticated' : 'let in';
      expect(met).toBe(expected(route, rule, identity));
      expect(answer.statusCode).toBeLessThan(500);
      if (met === 'let in') expect([401, 403]).not.toContain(answer.statusCode);
      else expect([401, 403]).toContain(answer.statusCode);
    },
  );
});
