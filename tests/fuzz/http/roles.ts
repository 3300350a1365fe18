import { randomUUID } from 'node:crypto';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import { type AdminDoor, madeToken } from '../support/admin-door.ts';
import type { OpenApi } from './openapi.ts';
import type { Planted } from './planted.ts';

/** Somebody who calls. */
export interface FuzzRole {
  readonly name: string;
  /** The Authorization header; undefined for none. */
  authorization(): string | undefined;
  /** What this role must never be told. */
  readonly secrets: readonly string[];
  /** A role that may end its own credential gets another. */
  renew(): Promise<void>;
}

/** What an account is given: a role, and a selector or null for the whole fleet. */
type Grant = readonly [role: string, selector: string | null];

const MINE = 'group=mine';

/** Every kind of caller that this server knows. Those that may change most come last: what they do to the world is behind the others. */
export async function rolesOf(
  fleet: TestFleet,
  door: AdminDoor,
  document: OpenApi,
  planted: Planted,
): Promise<FuzzRole[]> {
  const foreign = planted.words('foreign');
  const everything = [...planted.words('mine'), ...foreign];
  const outsiders = [
    fixed('none', undefined, everything),
    fixed('unknown token', `Bearer mfl_${'A'.repeat(43)}`, everything),
    fixed('revoked token', `Bearer ${await revokedToken(fleet)}`, everything),
  ];
  if (!('/api/v1/grants' in document.paths)) return [...outsiders, await admin(fleet)];
  const granted = [
    await account(fleet, door, 'nothing granted', [], everything),
    await account(fleet, door, 'viewer of mine', [['viewer', MINE]], foreign),
    await account(fleet, door, 'viewer', [['viewer', null]], []),
    await account(fleet, door, 'approver', [['approver', null]], []),
    await account(fleet, door, 'operator of mine', [['operator', MINE]], foreign),
    await account(fleet, door, 'operator', [['operator', null]], []),
    await account(fleet, door, 'admin of mine', [['admin', MINE]], foreign),
    await account(fleet, door, 'admin, token of one route', [['admin', null]], everything, ['GET /api/v1/me']),
  ];
  return [...outsiders, ...granted, await admin(fleet)];
}

function fixed(name: string, authorization: string | undefined, secrets: readonly string[]): FuzzRole {
  return { name, authorization: () => authorization, secrets, renew: () => Promise.resolve() };
}

async function account(
  fleet: TestFleet,
  door: AdminDoor,
  name: string,
  grants: readonly Grant[],
  secrets: readonly string[],
  routes?: readonly string[],
): Promise<FuzzRole> {
  const make = async (): Promise<string> => {
    const made = await door.must(201, 'POST', '/api/v1/accounts', { name: `fuzz-${randomUUID()}` });
    for (const [role, selector] of grants)
      await door.must(201, 'POST', '/api/v1/grants', {
        account: made['id'],
        role,
        ...(selector === null ? { all: true } : { selector }),
      });
    const token = await door.must(201, 'POST', '/api/v1/tokens', {
      account: made['id'],
      ...(routes === undefined ? {} : { routes }),
    });
    return String(token['token']);
  };
  let token = await make();
  return {
    name,
    authorization: () => `Bearer ${token}`,
    secrets,
    renew: async () => {
      const answer = await fleet.api('GET', '/api/v1/me', undefined, { authorization: `Bearer ${token}` });
      const whole = answer.status === 200 && (answer.body['grants'] as unknown[]).length >= grants.length;
      if (!whole && routes === undefined) token = await make();
    },
  };
}

async function admin(fleet: TestFleet): Promise<FuzzRole> {
  let token = await madeToken(fleet);
  return {
    name: 'admin',
    authorization: () => `Bearer ${token}`,
    secrets: [],
    renew: async () => {
      const { status } = await fleet.api('GET', '/api/v1/join-tokens?limit=1', undefined, {
        authorization: `Bearer ${token}`,
      });
      if (status !== 200) token = await madeToken(fleet);
    },
  };
}

async function revokedToken(fleet: TestFleet): Promise<string> {
  const token = await madeToken(fleet);
  const end = await fleet.serverCommand('token', 'revoke', token.slice(0, 12));
  if (end.code !== 0) throw new Error(`token revoke: ${end.stderr}`);
  return token;
}
