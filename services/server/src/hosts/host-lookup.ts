import type { HostScope } from '../access/host-scope.ts';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';
import {
  type FoundHost,
  hostNames,
  hostOfId,
  hostsOfName,
  retiredHostsOfName,
  type RetiredHostRow,
} from './host-lookup.queries.ts';

export type { FoundHost } from './host-lookup.queries.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const NAME_MAX = 255;
const CANDIDATES_SHOWN = 10;

/**
 * The host of an id or a name, among those in scope: one that is not is not found, and no message names it. An id also finds a retired host; a name only those that are not: it may belong to another machine by now.
 *
 * @throws AppError host_not_found (with names like it), host_ambiguous (with the ids that share the name), host_retired (only retired hosts have
 * the name).
 */
export async function findHost(sql: Sql, idOrName: string, scope: HostScope): Promise<FoundHost> {
  const text = idOrName.slice(0, NAME_MAX);
  if (UUID.test(text)) {
    const found = await hostOfId(sql, text, scope);
    if (found === undefined) throw new AppError('host_not_found', `no host has the id ${text}`);
    return found;
  }
  // Postgres stores no NUL; no host has one in its name.
  const named = text.includes('\0') ? [] : await hostsOfName(sql, text, scope);
  const [host, ...others] = named;
  if (host === undefined) throw await notFound(sql, text, scope);
  if (others.length > 0) {
    const candidates = named.slice(0, CANDIDATES_SHOWN).map((row) => row.id);
    const detail = `${named.length} hosts are named ${JSON.stringify(text)}; name one by its id: ${candidates.join(', ')}`;
    throw new AppError('host_ambiguous', detail, { candidates });
  }
  return host;
}

/** What was retired, when, and its id: by the id it is still to be read. */
export function hostRetired(latest: RetiredHostRow, ...earlier: readonly RetiredHostRow[]): AppError {
  const more = earlier.length === 0 ? '' : ` (as ${earlier.length} of that name before it)`;
  const detail = `the host ${JSON.stringify(latest.name)} was retired at ${latest.retiredAt.toISOString()}${more}; its id is ${latest.id}`;
  const candidates = [latest, ...earlier].slice(0, CANDIDATES_SHOWN).map((host) => host.id);
  return new AppError('host_retired', `${detail}; GET /api/v1/hosts/${latest.id} shows what was known of it`, {
    candidates,
  });
}

/** What was revoked, and why. */
export function hostRevoked({
  id,
  name,
  revokedAt,
  revokeReason,
}: Pick<FoundHost, 'id' | 'name' | 'revokedAt' | 'revokeReason'>): AppError {
  const when = revokedAt === null ? '' : ` at ${revokedAt.toISOString()}`;
  const why = revokeReason === null ? '' : ` (${revokeReason})`;
  return new AppError(
    'host_revoked',
    `${name} (${id}) was revoked${when}${why}: nothing is sent to it, and its machine has to join anew`,
  );
}

async function notFound(sql: Sql, name: string, scope: HostScope): Promise<AppError> {
  const [latest, ...earlier] = name.includes('\0') ? [] : await retiredHostsOfName(sql, name, scope);
  if (latest !== undefined) return hostRetired(latest, ...earlier);
  const candidates = nearest(name, await hostNames(sql, scope));
  const hint =
    candidates.length === 0 ? 'GET /api/v1/hosts lists what there is' : `did you mean ${candidates.join(', ')}?`;
  const detail = `no host is named ${JSON.stringify(name.slice(0, 80))}; ${hint}`;
  return new AppError('host_not_found', detail, candidates.length === 0 ? {} : { candidates });
}
