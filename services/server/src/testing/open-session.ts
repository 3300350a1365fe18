import type { Sql } from '../database/database.service.ts';
import { type NewSession, openSessions } from '../presence/session.queries.ts';

/** {@link openSessions} of one host. @returns its number */
export async function openSession(sql: Sql, session: NewSession & { readonly replicaId: string }): Promise<number> {
  const sessionNo = (await openSessions(sql, session.replicaId, [session])).get(session.hostId);
  if (sessionNo === undefined) throw new Error('INSERT … RETURNING gave no row');
  return sessionNo;
}
