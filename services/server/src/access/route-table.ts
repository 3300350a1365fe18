import type { Permission } from './roles.ts';

/**
 * Who may call what: one row a route, default deny. A route without a row answers `forbidden` to everyone, and the server does not start with it.
 *
 * - `public`: no credential. Health, and the ways to sign in: says nothing about the fleet.
 * - `scrape`: no credential when the listener is on loopback and no proxy is in front; else as `caller`.
 * - `caller`: a valid credential, and what `may` says.
 */
export type Access = 'public' | 'scrape' | 'caller';

export interface RouteRule {
  readonly access: Access;
  /** What it takes (roles.ts); absent: any account may. */
  readonly may?: Permission;
  /** `fleet`: over the whole fleet. `some`: over some hosts at least; the answer holds those alone, and a change is refused on others. */
  readonly over?: 'fleet' | 'some';
  /** The route changes something, so it needs an Idempotency-Key. */
  readonly change?: true;
}

const read = { access: 'caller', may: 'read', over: 'some' } as const;
const act = { access: 'caller', may: 'act', over: 'some', change: true } as const;
const hosts = { access: 'caller', may: 'hosts', over: 'some', change: true } as const;
const freeze = { access: 'caller', may: 'freeze', over: 'fleet', change: true } as const;
const access = { access: 'caller', may: 'access', over: 'fleet' } as const;
// Everyone may have to do with the own account's tokens; with whose else is decided in tokens.service.ts.
const own = { access: 'caller' } as const;
const join = { access: 'caller', may: 'join', over: 'fleet' } as const;

export const ROUTE_TABLE: Readonly<Record<string, RouteRule>> = {
  'GET /healthz': { access: 'public' },
  'GET /readyz': { access: 'public' },
  'GET /metrics': { access: 'scrape', may: 'read', over: 'fleet' },
  'GET /api/v1/openapi.json': { access: 'caller' },

  'POST /api/v1/login': { access: 'public' },
  'GET /api/v1/oidc/start': { access: 'public' },
  'GET /api/v1/oidc/callback': { access: 'public' },
  'POST /api/v1/oidc/device': { access: 'public' },
  'POST /api/v1/oidc/device/poll': { access: 'public' },
  // No Idempotency-Key where a password is in the body: its digest would be kept. See sign-in.controller.ts.
  'POST /api/v1/logout': { access: 'caller' },
  'POST /api/v1/me/password': { access: 'caller' },
  'GET /api/v1/sessions': { access: 'caller' },
  'DELETE /api/v1/sessions/:id': { access: 'caller', change: true },
  'POST /api/v1/accounts/:account/password': { access: 'caller', may: 'access', over: 'fleet', change: true },
  'DELETE /api/v1/accounts/:account/password': { access: 'caller', may: 'access', over: 'fleet', change: true },
  'POST /api/v1/accounts/:account/identities': { access: 'caller', may: 'access', over: 'fleet', change: true },
  'DELETE /api/v1/accounts/:account/identities': { access: 'caller', may: 'access', over: 'fleet', change: true },

  'GET /api/v1/hosts': read,
  'PATCH /api/v1/hosts': hosts,
  'GET /api/v1/hosts/:host': read,
  'DELETE /api/v1/hosts/:host': hosts,
  'POST /api/v1/hosts/:host/revoke': hosts,
  'POST /api/v1/hosts/:host/quarantine/release': hosts,
  'GET /api/v1/hosts/:host/kmods': read,
  'GET /api/v1/hosts/:host/devices': read,
  'GET /api/v1/hosts/:host/events': read,
  'GET /api/v1/events': read,
  'GET /api/v1/events/hosts': read,
  'GET /api/v1/events/watch': read,
  'GET /api/v1/hosts/:host/past': read,
  'GET /api/v1/hosts/:host/diff': read,

  'GET /api/v1/kmods': read,
  'GET /api/v1/kmods/:name': read,
  'GET /api/v1/kmods/:name/hosts': read,
  'GET /api/v1/kmods/:name/skew': read,
  'GET /api/v1/skew/kmods': read,
  'GET /api/v1/kmods/:name/past': read,
  'GET /api/v1/drivers/:name/hosts': read,

  'POST /api/v1/actions': act,
  'GET /api/v1/actions': read,
  'GET /api/v1/actions/:id': read,
  'GET /api/v1/actions/:id/watch': read,
  'POST /api/v1/actions/:id/cancel': act,
  // Those alone of which the caller may read all hosts (rollout-scope.queries.ts).
  'POST /api/v1/rollout-plans': act,
  'GET /api/v1/rollout-plans': read,
  'GET /api/v1/rollout-plans/:id': read,
  'GET /api/v1/rollout-plans/:id/targets': read,
  // Asks hosts, changes nothing and stores nothing.
  'POST /api/v1/queries': read,
  'POST /api/v1/rollouts': act,
  'GET /api/v1/rollouts': read,
  'GET /api/v1/rollouts/:id': read,
  'GET /api/v1/rollouts/:id/targets': read,
  'GET /api/v1/rollouts/:id/notes': read,
  'GET /api/v1/rollouts/:id/watch': read,
  'POST /api/v1/rollouts/:id/pause': act,
  'POST /api/v1/rollouts/:id/resume': act,
  'POST /api/v1/rollouts/:id/promote': act,
  'POST /api/v1/rollouts/:id/abort': act,
  'POST /api/v1/rollouts/:id/roll-back': act,
  'POST /api/v1/rollouts/:id/retry': act,
  'POST /api/v1/rollouts/:id/approve': { access: 'caller', may: 'approve', over: 'some', change: true },
  'POST /api/v1/freeze': freeze,
  'POST /api/v1/thaw': freeze,

  // The record of the whole fleet's decisions: for those who may read all of it.
  'GET /api/v1/audit': { access: 'caller', may: 'read', over: 'fleet' },
  'GET /api/v1/audit/verify': { access: 'caller', may: 'read', over: 'fleet' },

  'GET /api/v1/join-tokens': join,
  'POST /api/v1/join-tokens': { ...join, change: true },
  'DELETE /api/v1/join-tokens/:id': { ...join, change: true },

  'GET /api/v1/me': own,
  'GET /api/v1/tokens': own,
  'POST /api/v1/tokens': { ...own, change: true },
  'DELETE /api/v1/tokens/:token': { ...own, change: true },
  'GET /api/v1/accounts': access,
  'POST /api/v1/accounts': { ...access, change: true },
  'POST /api/v1/accounts/:account/disable': { ...access, change: true },
  'POST /api/v1/accounts/:account/enable': { ...access, change: true },
  // An admin of some hosts gives and takes rights over those alone (grants.service.ts).
  'GET /api/v1/grants': { ...access, over: 'some' },
  'POST /api/v1/grants': { ...access, over: 'some', change: true },
  'DELETE /api/v1/grants/:id': { ...access, over: 'some', change: true },
};

/** The route's name in the table. HEAD is GET without its body. */
export function routeName(method: string, routePattern: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${routePattern}`;
}

/** The rule of a route; undefined when there is none, which means deny. */
export function ruleOf(method: string, routePattern: string): RouteRule | undefined {
  const key = routeName(method, routePattern);
  return Object.hasOwn(ROUTE_TABLE, key) ? ROUTE_TABLE[key] : undefined;
}

/** The methods that a path (without its query) has; none for a path that is no resource. */
export function methodsOf(path: string): string[] {
  const given = path.split('/');
  return Object.keys(ROUTE_TABLE).flatMap((key) => {
    const [method = '', pattern = ''] = key.split(' ');
    const wanted = pattern.split('/');
    const same =
      wanted.length === given.length &&
      wanted.every((part, at) => (part.startsWith(':') ? given[at] !== '' : part === given[at]));
    return same ? [method] : [];
  });
}
