import type { z } from 'zod';
import type { JoinToken } from '../enrollment/join-token.repository.ts';
import type { joinTokenItemSchema } from './join-tokens.schema.ts';

export type JoinTokenItem = z.output<typeof joinTokenItemSchema>;

/** A join token as the API shows it: never its secret. */
export function toJoinTokenItem(row: JoinToken): JoinTokenItem {
  return {
    id: row.id,
    name: row.name,
    prefix: row.prefix,
    labels: row.labels,
    maxUses: row.maxUses,
    uses: row.uses,
    expiresAt: row.expiresAt.toISOString(),
    revokedAt: row.revokedAt?.toISOString() ?? null,
    createdBy: row.createdBy,
    createdAt: row.createdAt.toISOString(),
    state: stateOf(row),
  };
}

/** What stops it first is what is said. */
function stateOf(row: JoinToken): JoinTokenItem['state'] {
  if (row.broken) return 'broken';
  if (row.revokedAt !== null) return 'revoked';
  if (row.uses >= row.maxUses) return 'used_up';
  return row.expired ? 'expired' : 'open';
}
