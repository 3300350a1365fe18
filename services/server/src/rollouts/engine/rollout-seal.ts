import type { AccessSeals } from '../../access/seals.ts';
import { isSealed } from '../../access/seals.ts';
import type { Asker } from '../../actions/action-batch.service.ts';

/** Who asked, as a row has it. */
export interface AskerColumns {
  readonly requested_by: string;
  readonly requested_account: string;
  readonly requested_token: string | null;
  readonly requested_sign_in: string | null;
  readonly seal: Buffer;
}

/** The HMAC of what was asked of a rollout: `what` is create, approve, pause …. */
export function sealOf(seals: AccessSeals, rolloutId: string, what: string, hash: Buffer, asker: Asker): Buffer {
  const { accountId, name, credential } = asker;
  const tokenId = credential.kind === 'token' ? credential.id : null;
  const signInId = credential.kind === 'session' ? credential.id : null;
  return seals.rollout({ rolloutId, what, hash, accountId, tokenId, signInId, name });
}

/** Who asked; undefined: the row was changed outside the server. */
export function provenAsker(
  seals: AccessSeals,
  rolloutId: string,
  what: string,
  hash: Buffer,
  row: AskerColumns,
): Asker | undefined {
  const asker = askerOf(row);
  return asker !== undefined && isSealed(row.seal, sealOf(seals, rolloutId, what, hash, asker)) ? asker : undefined;
}

function askerOf(row: AskerColumns): Asker | undefined {
  const { requested_token: token, requested_sign_in: signIn } = row;
  const credential =
    token !== null
      ? ({ kind: 'token', id: token } as const)
      : signIn !== null
        ? ({ kind: 'session', id: signIn } as const)
        : undefined;
  return credential === undefined
    ? undefined
    : { accountId: row.requested_account, name: row.requested_by, credential };
}
