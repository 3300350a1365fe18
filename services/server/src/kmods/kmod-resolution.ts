import { canonicalKmodName, KmodNameError } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';
import { aliasMatches, beginningsOf } from './alias-match.ts';
import {
  aliasesByBeginning,
  allKmodNames,
  driversOfKmod,
  kmodsOfDriver,
  knownKmod,
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
 * The kmod of a name, of an alias, or of a driver, in this order.
 *
 * @throws KmodNameError for what can be none of these; AppError kmod_unknown, with names like it.
 */
export async function resolveKmod(sql: Sql, requested: string): Promise<KmodSubject> {
  const name = canonicalOrAlias(requested);
  if (name !== undefined) {
    const kmodId = await knownKmod(sql, name);
    if (kmodId !== undefined) return subject(sql, { name, kmodId, requested, resolvedBy: 'name', candidates: [] });
  }
  const aliases = (await aliasesByBeginning(sql, beginningsOf(requested))).filter((row) =>
    aliasMatches(row.pattern, requested),
  );
  const byAlias = await firstKnown(
    sql,
    aliases.map((row) => row.name),
  );
  if (byAlias !== undefined) return subject(sql, { ...byAlias, requested, resolvedBy: 'alias' });

  const folded = requested.replaceAll('-', '_');
  const behind = await kmodsOfDriver(sql, folded);
  const byDriver = await firstKnown(
    sql,
    behind.map((row) => row.name).filter((each) => each !== null),
  );
  if (byDriver !== undefined) return subject(sql, { ...byDriver, requested, resolvedBy: 'driver' });
  if (behind.length > 0)
    return { name: folded, requested, resolvedBy: 'driver', candidates: [], kmodId: null, drivers: [folded] };
  throw await unknown(sql, requested, folded);
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
  names: readonly string[],
): Promise<(Pick<KmodSubject, 'name' | 'candidates'> & { kmodId: number }) | undefined> {
  const [name, ...candidates] = new Set(names);
  const kmodId = name === undefined ? undefined : await knownKmod(sql, name);
  return name === undefined || kmodId === undefined ? undefined : { name, kmodId, candidates };
}

async function subject(sql: Sql, found: Omit<KmodSubject, 'drivers'> & { kmodId: number }): Promise<KmodSubject> {
  return { ...found, drivers: await driversOfKmod(sql, found.kmodId) };
}

async function unknown(sql: Sql, requested: string, folded: string): Promise<AppError> {
  const candidates = nearest(folded, await allKmodNames(sql));
  const hint =
    candidates.length === 0 ? 'GET /api/v1/kmods lists what the fleet has' : `did you mean ${candidates.join(', ')}?`;
  return new AppError(
    'kmod_unknown',
    `no host has reported a kmod, an alias or a driver named ${JSON.stringify(requested.slice(0, 80))}; ${hint}`,
    candidates.length === 0 ? {} : { candidates },
  );
}
