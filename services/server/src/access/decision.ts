import type { Caller } from './caller.ts';
import { type HostScope, inScope, type Labels } from './host-scope.ts';
import { gives, PERMISSIONS, type Permission } from './roles.ts';
import type { RouteRule } from './route-table.ts';

/** The only place that decides who may do what. Pure. */
export type Decision =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly code: 'forbidden' | 'access_seal_broken'; readonly why: string };

/** Whoever calls may ask who they are, whatever their token is narrowed to: it says what it is narrowed to. */
const WHO_AM_I = 'GET /api/v1/me';
const ALLOWED: Decision = { allowed: true };

type Asker = Pick<Caller, 'name' | 'grants' | 'brokenGrants' | 'routes'>;

/**
 * Whether a caller may call a route.
 *
 * @param route method and pattern, as in the route table.
 */
export function decideRoute(caller: Asker, rule: RouteRule, route: string): Decision {
  if (caller.routes !== null && route !== WHO_AM_I && !caller.routes.includes(route)) {
    return no(`this API token is narrowed to other routes than ${route}; "${WHO_AM_I}" lists them`);
  }
  return rule.may === undefined ? ALLOWED : decide(caller, rule.may, rule.over ?? 'fleet');
}

/**
 * Whether a caller may do something.
 *
 * @param target `fleet`: with the whole fleet. `some`: with some host at least, which one is decided when it is known. Labels: with the host that has them.
 */
export function decide(caller: Asker, permission: Permission, target: 'fleet' | 'some' | Labels): Decision {
  const scope = scopeOf(caller, permission);
  const allowed = target === 'fleet' ? scope === 'all' : target === 'some' ? scope.length > 0 : inScope(scope, target);
  if (allowed) return ALLOWED;
  if (caller.brokenGrants > 0) {
    return {
      allowed: false,
      code: 'access_seal_broken',
      why: `a grant of the account ${caller.name} was changed outside the server and gives nothing; an admin has to add it anew`,
    };
  }
  const where = target === 'fleet' ? ' over the whole fleet' : target === 'some' ? '' : ' over this host';
  return no(`the account ${caller.name} may not: it takes the role ${PERMISSIONS[permission].join(' or ')}${where}`);
}

/** The hosts that a caller may do something with. */
export function scopeOf(caller: Pick<Caller, 'grants'>, permission: Permission): HostScope {
  const selectors = caller.grants.filter((grant) => gives(grant.role, permission)).map((grant) => grant.selector);
  return selectors.includes(null) ? 'all' : selectors.filter((selector) => selector !== null);
}

function no(why: string): Decision {
  return { allowed: false, code: 'forbidden', why };
}
