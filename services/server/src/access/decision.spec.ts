import { describe, expect, it } from 'vitest';
import { decide, decideRoute, scopeOf } from './decision.ts';
import { parseGrantSelector } from './host-scope.ts';
import { PERMISSIONS, type Permission, type Role, ROLES } from './roles.ts';

const grant = (role: Role, selector?: string) => ({
  id: `${role} ${selector ?? ''}`,
  role,
  selector: selector === undefined ? null : parseGrantSelector(selector),
});
const asker = (grants: ReturnType<typeof grant>[], more: { routes?: string[]; brokenGrants?: number } = {}) => ({
  name: 'ops',
  grants,
  brokenGrants: more.brokenGrants ?? 0,
  routes: more.routes ?? null,
});
const staging = { env: 'staging' };

describe('decide', () => {
  it.each(ROLES.flatMap((role) => Object.keys(PERMISSIONS).map((permission) => ({ role, permission }))))(
    'a grant of $role over the fleet gives $permission when the table says so',
    ({ role, permission }) => {
      const may = (PERMISSIONS[permission as Permission] as readonly Role[]).includes(role);
      expect(decide(asker([grant(role)]), permission as Permission, 'fleet').allowed).toBe(may);
      expect(decide(asker([grant(role)]), permission as Permission, staging).allowed).toBe(may);
    },
  );

  it('a narrowed grant reaches the hosts of its selector, and never the fleet', () => {
    const narrowed = asker([grant('operator', 'env=staging'), grant('viewer', 'env=prod')]);
    expect(decide(narrowed, 'act', staging).allowed).toBe(true);
    expect(decide(narrowed, 'act', { env: 'prod' }).allowed).toBe(false);
    expect(decide(narrowed, 'read', { env: 'prod' }).allowed).toBe(true);
    expect(decide(narrowed, 'read', {}).allowed).toBe(false);
    expect(decide(narrowed, 'act', 'some').allowed).toBe(true);
    expect(decide(narrowed, 'act', 'fleet').allowed).toBe(false);
    expect(decide(narrowed, 'freeze', 'fleet').allowed).toBe(false);
    expect(decide(narrowed, 'access', 'some').allowed).toBe(false);
  });

  it('says what it takes, and when a grant was changed by hand', () => {
    expect(decide(asker([grant('viewer')]), 'act', staging)).toMatchObject({
      code: 'forbidden',
      why: expect.stringContaining('operator or admin over this host'),
    });
    expect(decide(asker([], { brokenGrants: 1 }), 'read', 'some')).toMatchObject({ code: 'access_seal_broken' });
  });
});

describe('decideRoute', () => {
  const rule = { access: 'caller', may: 'read', over: 'some' } as const;
  it('asks the narrowed token first, then the grants', () => {
    const narrowed = asker([grant('admin')], { routes: ['GET /api/v1/hosts'] });
    expect(decideRoute(narrowed, rule, 'GET /api/v1/hosts').allowed).toBe(true);
    expect(decideRoute(narrowed, rule, 'GET /api/v1/kmods')).toMatchObject({ code: 'forbidden' });
    expect(decideRoute(asker([], { routes: ['GET /api/v1/hosts'] }), rule, 'GET /api/v1/hosts').allowed).toBe(false);
  });
  it('lets a narrowed token ask who it is: that says what it is narrowed to', () => {
    const narrowed = asker([], { routes: ['GET /api/v1/hosts'] });
    expect(decideRoute(narrowed, { access: 'caller' }, 'GET /api/v1/me').allowed).toBe(true);
    expect(decideRoute(narrowed, { access: 'caller' }, 'POST /api/v1/tokens').allowed).toBe(false);
  });
  it('lets any account call what asks for no right', () => {
    expect(decideRoute(asker([]), { access: 'caller' }, 'GET /api/v1/me').allowed).toBe(true);
  });
});

describe('scopeOf', () => {
  it('is the whole fleet as soon as one grant is, else the selectors of the grants that give it', () => {
    expect(scopeOf(asker([grant('viewer', 'env=staging'), grant('viewer')]), 'read')).toBe('all');
    expect(scopeOf(asker([grant('viewer', 'env=staging'), grant('operator', 'env=prod')]), 'act')).toEqual([
      parseGrantSelector('env=prod'),
    ]);
    expect(scopeOf(asker([]), 'read')).toEqual([]);
  });
});
