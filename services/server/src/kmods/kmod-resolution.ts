import { canonicalKmodName, KmodNameError } from '@modfleet/proto';
import type { HostScope } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';
import { aliasMatches, beginningsOf } from './alias-match.ts';
import {
  aliasesByBeginning,
  allKmodNames,
  driversOfKmod,
  kmodsOfDriver,
  knownKmods,
} from './kmod-resolution.queries.ts';

/** What an answer is about. */
export interface KmodSubject {
  readonly name: string;
  readonly requested: string;
  readonly resolvedBy: 'name' | 'alias' | 'driver';
  /** Other kmods that the alias or driver also stands for. */
  readonly candidates: readonly string[];
  /** Null for a driver that is built in everywhere, without a kmod of its name. */
  readonly kmodId: number | null;
  /** Drivers that it provides on some host, as devices say them; a host where one of these is built in has it built in. */
  readonly drivers: readonly string[];
}

/** Module aliases as depmod writes them: a subsystem, a colon, the rest; no slash, no blank. */
const ALIAS = /^[A-Za-z0-9_][A-Za-z0-9_.,:*?[\]+=()-]{0,254}$/;

/**
 * The kmod of a name, of an alias, or of a driver, in this order; among what hosts in scope reported.
 *
 * @throws KmodNameError for what can be none of these; AppError kmod_unknown, with names like it.
 */
export async function resolveKmod(
  sql: Sql,
  sets: LoadedSets,
  requested: string,
  scope: HostScope,
): Promise<KmodSubject> {
  const name = canonicalOrAlias(requested);
  if (name !== undefined) {
    const found = await firstKnown(sql, sets, [name], scope);
    if (found !== undefined) return subject(sql, { ...found, requested, resolvedBy: 'name' }, scope);
  }
  const aliases = (await aliasesByBeginning(sql, beginningsOf(requested))).filter((row) =>
    aliasMatches(row.pattern, requested),
  );
  const byAlias = await firstKnown(
    sql,
    sets,
    aliases.map((row) => row.name),
    scope,
  );
  if (byAlias !== undefined) return subject(sql, { ...byAlias, requested, resolvedBy: 'alias' }, scope);

  const folded = requested.replaceAll('-', '_');
  const behind = await kmodsOfDriver(sql, folded, scope);
  const byDriver = await firstKnown(
    sql,
    sets,
    behind.map((row) => row.name).filter((each) => each !== null),
    scope,
  );
  if (byDriver !== undefined) return subject(sql, { ...byDriver, requested, resolvedBy: 'driver' }, scope);
  if (behind.length > 0)
    return { name: folded, requested, resolvedBy: 'driver', candidates: [], kmodId: null, drivers: [folded] };
  throw await unknown(sql, sets, requested, folded, scope);
}

function canonicalOrAlias(requested: string): string | undefined {
  try {
    return canonicalKmodName(requested);
  } catch (error) {
    if (error instanceof KmodNameError && requested.includes(':') && ALIAS.test(requested)) return undefined;
    throw error;
  }
}

async function firstKnown(
  sql: Sql,
  sets: LoadedSets,
  names: readonly string[],
  scope: HostScope,
): Promise<(Pick<KmodSubject, 'name' | 'candidates'> & { kmodId: number }) | undefined> {
  const ids = await knownKmods(sql, sets, [...new Set(names)], scope);
  const [name, ...candidates] = new Set(names.filter((each) => ids.has(each)));
  const kmodId = name === undefined ? undefined : ids.get(name);
  return name === undefined || kmodId === undefined ? undefined : { name, kmodId, candidates };
}

async function subject(
  sql: Sql,
  found: Omit<KmodSubject, 'drivers'> & { kmodId: number },
  scope: HostScope,
): Promise<KmodSubject> {
  return { ...found, drivers: await driversOfKmod(sql, found.kmodId, scope) };
}

async function unknown(
  sql: Sql,
  sets: LoadedSets,
  requested: string,
  folded: string,
  scope: HostScope,
): Promise<AppError> {
  const candidates = nearest(folded, await allKmodNames(sql, sets, scope));
  const hint =
    candidates.length === 0 ? 'GET /api/v1/kmods lists what the fleet has' : `did you mean ${candidates.join(', ')}?`;
  return new AppError(
    'kmod_unknown',
    `no host has reported a kmod, an alias or a driver named ${JSON.stringify(requested.slice(0, 80))}; ${hint}`,
    candidates.length === 0 ? {} : { candidates },
  );
}
