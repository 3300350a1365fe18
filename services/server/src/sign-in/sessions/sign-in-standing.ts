import type { Sealing } from '../sealing.ts';
import type { SignInRow } from './sign-in.queries.ts';

/** What of a sign-in is looked at long after its call: whether somebody has ended it. */
export type SignInEnd = Pick<
  SignInRow,
  'id' | 'account_id' | 'carrier' | 'expires_at' | 'idle_seconds' | 'ended_at' | 'ended_by'
> & { readonly hash: Buffer | null; readonly seal: Buffer | null };

/**
 * `open`: nobody has ended it; it may be over by itself. `left`: its own logout. `ended`: somebody ended it: from another sign-in, as an admin, by changing or taking
 * away the password, by disabling the account. `broken`: changed outside the server. Pure.
 */
export function signInStanding(row: SignInEnd, sealing: Sealing): 'open' | 'left' | 'ended' | 'broken' {
  if (row.ended_at !== null) return row.seal !== null && sealing.isMac(leftFacts(row), row.seal) ? 'left' : 'ended';
  const isWhole = row.hash !== null && row.seal !== null && sealing.isMac(signInFacts(row, row.hash), row.seal);
  return isWhole ? 'open' : 'broken';
}

/** All that a sign-in gives. Its last use is not in it: who writes the database can keep one from ending for want of use, until it ends in any case. */
export function signInFacts(
  row: Pick<SignInRow, 'id' | 'account_id' | 'carrier' | 'expires_at' | 'idle_seconds'>,
  hash: Buffer,
): string[] {
  const { id, account_id: accountId, carrier, expires_at: expiresAt, idle_seconds: idle } = row;
  return ['sign-in', id, accountId, carrier, expiresAt.toISOString(), String(idle), hash.toString('hex')];
}

/** That it was left by itself, and not ended by another: what it asked for stays asked for. Gives nothing else. */
export function leftFacts(row: Pick<SignInRow, 'id' | 'account_id'>): string[] {
  return ['sign-in-left', row.id, row.account_id];
}
