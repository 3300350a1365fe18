import { type AccessSeals, isSealed } from '../../access/seals.ts';
import type { Asker } from '../../actions/action-batch.service.ts';

/** Who asked, as a row has it. */
export interface AskerColumns {
  readonly requested_by: string;
  readonly requested_account: string;
  readonly requested_token: string | null;
  readonly requested_sign_in: string | null;
  /** HMAC of what was asked of a rollout, and by whom. */
  readonly seal: Buffer;
}

type Unsealed = Omit<AskerColumns, 'seal'>;

/** @param what create, approve, pause …. @param hash of the rollout (rollout-hash.ts). */
export function sealedAsker(
  seals: AccessSeals,
  rolloutId: string,
  what: string,
  hash: Buffer,
  { accountId, name, credential }: Asker,
): AskerColumns {
  const row = {
    requested_by: name,
    requested_account: accountId,
    requested_token: credential.kind === 'token' ? credential.id : null,
    requested_sign_in: credential.kind === 'session' ? credential.id : null,
  };
  return { ...row, seal: sealOf(seals, rolloutId, what, hash, row) };
}

/** Who asked; undefined: the row was changed outside the server. */
export function provenAsker(
  seals: AccessSeals,
  rolloutId: string,
  what: string,
  hash: Buffer,
  row: AskerColumns,
): Asker | undefined {
  if (!isSealed(row.seal, sealOf(seals, rolloutId, what, hash, row))) return undefined;
  const { requested_token: token, requested_sign_in: signIn } = row;
  const credential =
    token !== null
      ? ({ kind: 'token', id: token } as const)
      : signIn !== null
        ? ({ kind: 'session', id: signIn } as const)
        : undefined;
  return credential && { accountId: row.requested_account, name: row.requested_by, credential };
}

function sealOf(seals: AccessSeals, rolloutId: string, what: string, hash: Buffer, row: Unsealed): Buffer {
  return seals.rollout({
    rolloutId,
    what,
    hash,
    accountId: row.requested_account,
    tokenId: row.requested_token,
    signInId: row.requested_sign_in,
    name: row.requested_by,
  });
}
