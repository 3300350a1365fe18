import type { ApiTokenRow } from './access.rows.ts';

/** What became of an API token; whether its row and its account's are whole is another question. */
export type TokenState = 'open' | 'expired' | 'revoked' | 'account_disabled';

export function tokenState(row: Pick<ApiTokenRow, 'revoked_at' | 'expired' | 'account_disabled_at'>): TokenState {
  if (row.revoked_at !== null) return 'revoked';
  if (row.expired) return 'expired';
  return row.account_disabled_at === null ? 'open' : 'account_disabled';
}
