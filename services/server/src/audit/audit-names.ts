import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';
import { actorNames, isActorKnown, isKmodKnown, kmodNames } from './audit-names.queries.ts';

/**
 * Called where no row was found: that nothing is on record of somebody must not be said of a name that was mistyped.
 *
 * @throws AppError actor_unknown, kmod_unknown.
 */
export async function requireKnown(
  sql: Sql,
  { who, kmod }: { readonly who?: string | undefined; readonly kmod?: string | undefined },
): Promise<void> {
  if (who !== undefined && !(await isActorKnown(sql, who)))
    throw unknown('actor_unknown', `nobody named ${quoted(who)} is in the audit log or known here`, [
      who,
      await actorNames(sql),
    ]);
  if (kmod !== undefined && !(await isKmodKnown(sql, kmod)))
    throw unknown('kmod_unknown', `no decision is about a kmod named ${quoted(kmod)}, and no host has reported one`, [
      kmod,
      await kmodNames(sql),
    ]);
}

function unknown(
  code: 'actor_unknown' | 'kmod_unknown',
  words: string,
  [name, names]: readonly [string, readonly string[]],
): AppError {
  const candidates = nearest(name, [...names]);
  return candidates.length === 0
    ? new AppError(code, words)
    : new AppError(code, `${words}; did you mean ${candidates.join(', ')}?`, { candidates });
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 80));
}
