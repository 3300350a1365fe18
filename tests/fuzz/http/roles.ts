import type { TestFleet } from '../../e2e/support/fleet.ts';
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

/** Every kind of caller that this server knows. */
export async function rolesOf(fleet: TestFleet, _document: OpenApi, planted: Planted): Promise<FuzzRole[]> {
  const everything = [...planted.words('mine'), ...planted.words('foreign')];
  return [
    fixed('none', undefined, everything),
    fixed('unknown token', `Bearer mfl_${'A'.repeat(43)}`, everything),
    fixed('revoked token', `Bearer ${await revokedToken(fleet)}`, everything),
    await admin(fleet),
  ];
}

function fixed(name: string, authorization: string | undefined, secrets: readonly string[]): FuzzRole {
  return { name, authorization: () => authorization, secrets, renew: () => Promise.resolve() };
}

async function admin(fleet: TestFleet): Promise<FuzzRole> {
  let token = await madeToken(fleet);
  return {
    name: 'admin',
    authorization: () => `Bearer ${token}`,
    secrets: [],
    renew: async () => {
      const { status } = await fetch(`${fleet.http}/api/v1/hosts?limit=1`, {
        headers: { authorization: `Bearer ${token}` },
      });
      if (status !== 200) token = await madeToken(fleet);
    },
  };
}

async function madeToken(fleet: TestFleet): Promise<string> {
  const end = await fleet.serverCommand('token', 'create', '--name', 'fuzz');
  if (end.code !== 0) throw new Error(`token create: ${end.stderr}`);
  return end.stdout.trim().split('\n').at(-1) ?? '';
}

async function revokedToken(fleet: TestFleet): Promise<string> {
  const token = await madeToken(fleet);
  const end = await fleet.serverCommand('token', 'revoke', token.slice(0, 12));
  if (end.code !== 0) throw new Error(`token revoke: ${end.stderr}`);
  return token;
}
