import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import { type AdminDoor, madeToken } from '../support/admin-door.ts';
import { ownLoopback, postFrom } from '../support/from-address.ts';
import type { Planted } from './planted.ts';

type Credentials = readonly (readonly [header: string, value: string])[];

/** Somebody who calls. */
export interface FuzzRole {
  readonly name: string;
  /** Headers that say who it is. */
  credentials(): Credentials;
  /** What this role must never be told. */
  readonly secrets: readonly string[];
  /** A role that may end its own credential gets another. */
  renew(): Promise<void>;
}

/** What an account is given: a role, and a selector or null for the whole fleet. */
type Grant = readonly [role: string, selector: string | null];

const MINE = 'group=mine';

/** Every kind of caller that this server knows. Those that may change most come last: what they do to the world is behind the others. */
export async function rolesOf(fleet: TestFleet, door: AdminDoor, planted: Planted): Promise<FuzzRole[]> {
  const foreign = planted.words('foreign');
  const everything = [...planted.words('mine'), ...foreign];
  const outsiders = [
    fixed('none', [], everything),
    fixed('unknown token', bearer(`mfl_${'A'.repeat(43)}`), everything),
    fixed('revoked token', bearer(await revokedToken(fleet)), everything),
    fixed('expired token', bearer(await expiredToken(fleet, door)), everything),
  ];
  const granted = [
    await account(fleet, door, 'nothing granted', [], everything),
    await account(fleet, door, 'viewer of mine', [['viewer', MINE]], foreign),
    await account(fleet, door, 'viewer', [['viewer', null]], []),
    await account(fleet, door, 'approver', [['approver', null]], []),
    await account(fleet, door, 'operator of mine', [['operator', MINE]], foreign),
    await account(fleet, door, 'operator', [['operator', null]], []),
    await signedIn(fleet, door, 'operator of mine, signed in', 'bearer', ['operator', MINE], foreign),
    await signedIn(fleet, door, 'operator, in a browser', 'cookie', ['operator', null], []),
    await account(fleet, door, 'admin of mine', [['admin', MINE]], foreign),
    await account(fleet, door, 'admin, token of one route', [['admin', null]], everything, ['GET /api/v1/me']),
  ];
  return [...outsiders, ...granted, await admin(fleet)];
}

function bearer(token: string): Credentials {
  return [['authorization', `Bearer ${token}`]];
}

function fixed(name: string, credentials: Credentials, secrets: readonly string[]): FuzzRole {
  return { name, credentials: () => credentials, secrets, renew: () => Promise.resolve() };
}

/** @returns the account's id and name. */
async function newAccount(
  door: AdminDoor,
  kind: 'person' | 'service',
  grants: readonly Grant[],
): Promise<{ id: unknown; name: string }> {
  const name = `fuzz-${randomUUID()}`;
  const made = await door.must(201, 'POST', '/api/v1/accounts', { name, kind });
  for (const [role, selector] of grants)
    await door.must(201, 'POST', '/api/v1/grants', {
      account: made['id'],
      role,
      ...(selector === null ? { all: true } : { selector }),
    });
  return { id: made['id'], name };
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
    const { id } = await newAccount(door, 'service', grants);
    const token = await door.must(201, 'POST', '/api/v1/tokens', {
      account: id,
      ...(routes === undefined ? {} : { routes }),
    });
    return String(token['token']);
  };
  let token = await make();
  return {
    name,
    credentials: () => bearer(token),
    secrets,
    renew: async () => {
      if (routes === undefined && !(await hasGrants(fleet, bearer(token), grants.length))) token = await make();
    },
  };
}

async function hasGrants(fleet: TestFleet, credentials: Credentials, grants: number): Promise<boolean> {
  const nobody = { authorization: '' };
  const answer = await fleet.api('GET', '/api/v1/me', undefined, { ...nobody, ...Object.fromEntries(credentials) });
  return answer.status === 200 && (answer.body['grants'] as unknown[]).length >= grants;
}

/** A person with a password; `cookie` as a browser shows it, on a page of the server. */
async function signedIn(
  fleet: TestFleet,
  door: AdminDoor,
  name: string,
  carrier: 'bearer' | 'cookie',
  grant: Grant,
  secrets: readonly string[],
): Promise<FuzzRole> {
  const make = async (): Promise<Credentials> => {
    const account = await newAccount(door, 'person', [grant]);
    const given = await door.must(201, 'POST', `/api/v1/accounts/${String(account.id)}/password`, {});
    const password = randomBytes(16).toString('hex');
    // What the role itself tries wrongly, signing in, counts against its address: it comes in from another.
    const answer = await postFrom(ownLoopback(), fleet, '/api/v1/login', {
      user: account.name,
      password: given['password'],
      newPassword: password,
      carrier,
    });
    if (answer.status !== 200) throw new Error(`login: ${answer.status} ${JSON.stringify(answer.body)}`);
    if (carrier === 'bearer') return bearer(String(answer.body['secret']));
    return [
      ['cookie', answer.cookie],
      ['origin', 'http://127.0.0.1'],
    ];
  };
  let credentials = await make();
  return {
    name,
    credentials: () => credentials,
    secrets,
    renew: async () => {
      if (!(await hasGrants(fleet, credentials, 1))) credentials = await make();
    },
  };
}

async function admin(fleet: TestFleet): Promise<FuzzRole> {
  let token = await madeToken(fleet);
  return {
    name: 'admin',
    credentials: () => bearer(token),
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

async function expiredToken(fleet: TestFleet, door: AdminDoor): Promise<string> {
  const { id } = await newAccount(door, 'service', [['admin', null]]);
  const made = await door.must(201, 'POST', '/api/v1/tokens', { account: id, expiresIn: 1 });
  const credentials = bearer(String(made['token']));
  for (let tries = 0; await hasGrants(fleet, credentials, 1); tries += 1) {
    if (tries === 50) throw new Error('a token of one second is still good after ten');
    await delay(200);
  }
  return String(made['token']);
}
