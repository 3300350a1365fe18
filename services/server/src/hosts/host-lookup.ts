import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { nearest } from '../errors/nearest.ts';

export interface FoundHost {
  readonly id: string;
  readonly name: string;
  readonly retiredAt: Date | null;
  readonly quarantinedAt: Date | null;
  readonly quarantineReason: string | null;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const COLUMNS = `id, name, retired_at AS "retiredAt", quarantined_at AS "quarantinedAt", quarantine_reason AS "quarantineReason"`;
const CANDIDATES_SHOWN = 10;

/**
 * The host of an id or a name. An id also finds a retired host; a name only those that are not.
 *
 * @throws AppError host_not_found (with names like it), host_ambiguous (with the ids that share the name).
 */
export async function findHost(sql: Sql, idOrName: string): Promise<FoundHost> {
  const text = idOrName.slice(0, 255);
  if (UUID.test(text)) {
    const [host] = await sql.query<FoundHost>(`SELECT ${COLUMNS} FROM host WHERE id = $1`, [text]);
    if (host === undefined) throw new AppError('host_not_found', `no host has the id ${text}`);
    return host;
  }
  // Postgres stores no NUL; no host has one in its name.
  const rows = text.includes('\0')
    ? []
    : await sql.query<FoundHost>(
        `SELECT ${COLUMNS} FROM host WHERE name = $1 AND retired_at IS NULL ORDER BY enrolled_at, id`,
        [text],
      );
  const [host, ...others] = rows;
  if (host === undefined) throw await notFound(sql, text);
  if (others.length > 0) {
    const candidates = rows.slice(0, CANDIDATES_SHOWN).map((row) => row.id);
    throw new AppError(
      'host_ambiguous',
      `${rows.length} hosts are named ${JSON.stringify(text)}; name one by its id: ${candidates.join(', ')}`,
      { candidates },
    );
  }
  return host;
}

async function notFound(sql: Sql, name: string): Promise<AppError> {
  const rows = await sql.query<{ name: string }>(
    'SELECT DISTINCT name FROM host WHERE retired_at IS NULL ORDER BY name LIMIT 5000',
  );
  const candidates = nearest(
    name,
    rows.map((row) => row.name),
  );
  const hint =
    candidates.length === 0 ? 'GET /api/v1/hosts lists what there is' : `did you mean ${candidates.join(', ')}?`;
  return new AppError(
    'host_not_found',
    `no host is named ${JSON.stringify(name.slice(0, 80))}; ${hint}`,
    candidates.length === 0 ? {} : { candidates },
  );
}
