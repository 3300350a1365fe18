/**
 * Who may call what: one row a route, default deny. A route without a row answers `forbidden` to everyone, and a test fails (route-table.itest.ts).
 *
 * - `public`: no token. Health only: says nothing about the fleet.
 * - `scrape`: no token when the listener is on loopback and no proxy is in front; else a token.
 * - `token`: any valid API token. Roles come with the access issue.
 */
export type Access = 'public' | 'scrape' | 'token';

export interface RouteRule {
  readonly access: Access;
  /** The route changes something, so it needs an Idempotency-Key. */
  readonly change?: true;
}

const token = { access: 'token' } as const;
const change = { access: 'token', change: true } as const;

export const ROUTE_TABLE: Readonly<Record<string, RouteRule>> = {
  'GET /healthz': { access: 'public' },
  'GET /readyz': { access: 'public' },
  'GET /metrics': { access: 'scrape' },
  'GET /api/v1/openapi.json': token,

  'GET /api/v1/hosts': token,
  'PATCH /api/v1/hosts': change,
  'GET /api/v1/hosts/:host': token,
  'DELETE /api/v1/hosts/:host': change,
  'GET /api/v1/hosts/:host/kmods': token,
  'GET /api/v1/hosts/:host/devices': token,
  'GET /api/v1/hosts/:host/events': token,

  'GET /api/v1/kmods': token,
  'GET /api/v1/kmods/:name': token,
  'GET /api/v1/kmods/:name/hosts': token,
  'GET /api/v1/drivers/:name/hosts': token,

  'POST /api/v1/actions': change,
  'GET /api/v1/actions': token,
  'GET /api/v1/actions/:id': token,
  'GET /api/v1/actions/:id/watch': token,
  'POST /api/v1/actions/:id/cancel': change,
  // Asks hosts, changes nothing and stores nothing.
  'POST /api/v1/queries': token,
  'POST /api/v1/freeze': change,
  'POST /api/v1/thaw': change,

  'GET /api/v1/join-tokens': token,
  'POST /api/v1/join-tokens': change,
  'DELETE /api/v1/join-tokens/:id': change,
};

/** The rule of a route; undefined when there is none, which means deny. HEAD is GET without its body. */
export function ruleOf(method: string, routePattern: string): RouteRule | undefined {
  const key = `${method === 'HEAD' ? 'GET' : method} ${routePattern}`;
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
