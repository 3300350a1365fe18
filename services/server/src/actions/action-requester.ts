import type { Caller } from '../access/caller.ts';
import type { AccessSeals } from '../access/seals.ts';

/** Who asks: account, name and credential, as Caller has them. */
export type Asker = Pick<Caller, 'accountId' | 'name' | 'credential'>;

/** Who asks for an action, as it is stored with it. */
export interface Requester {
  readonly accountId: string;
  /** One of these is null. */
  readonly tokenId: string | null;
  readonly signInId: string | null;
  readonly seal: Buffer;
}

/** Who asked for an action, as its row has it. */
export interface RequesterColumns {
  readonly id: string;
  readonly requested_by: string;
  readonly requested_account: string | null;
  readonly requested_token: string | null;
  readonly requested_sign_in: string | null;
  readonly requester_seal: Buffer | null;
  /** The name that the account has now; null: there is no such account. */
  readonly requested_account_name: string | null;
}

/**
 * The name of who asked, as far as the seal proves it. An account has no blank in its name, so that none is taken for what stands here instead. Pure.
 *
 * Until migration 0015 the seal had the account and not its name: of such an action it is the name that the account has now.
 */
export function requesterName(row: RequesterColumns, seals: AccessSeals): string {
  if (row.requested_account === null) return `${row.requested_by} (unproven)`;
  const sealed = seals.requesterSealedAs(row.requester_seal, {
    actionId: row.id,
    accountId: row.requested_account,
    tokenId: row.requested_token,
    signInId: row.requested_sign_in,
    name: row.requested_by,
  });
  if (sealed === 'named') return row.requested_by;
  if (sealed === 'unnamed' && row.requested_account_name !== null) return row.requested_account_name;
  return 'unknown (changed outside the server)';
}
