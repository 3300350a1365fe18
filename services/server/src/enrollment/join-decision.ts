import { randomUUID } from 'node:crypto';
import type { VerifiedCsr } from '../ca/certificate-authority.ts';
import { EnrollmentError } from './enrollment.errors.ts';
import type { HostColumns } from './host-facts.ts';
import type { HostIdentityRow } from './host.queries.ts';
import type { JoinToken } from './join-token.repository.ts';

/** A machine that wants to be a host, and has shown that the key is its own. */
export interface Join {
  readonly tokenHash: Buffer;
  readonly columns: HostColumns;
  readonly key: VerifiedCsr;
  readonly peer: string;
}

/** `counter`: of the certificate that is to be issued. */
export interface LetIn {
  readonly kind: 'new' | 'again';
  readonly join: Join;
  readonly token: JoinToken;
  readonly hostId: string;
  readonly counter: number;
}

export type Decision = { readonly kind: 'refused'; readonly error: EnrollmentError } | LetIn;

/** Of a host's first certificate. */
const FIRST_COUNTER = 1;

/** What becomes of one join: pure, but for the new host's id. */
export function decideJoin({
  join,
  token,
  before,
  host,
}: {
  readonly join: Join;
  readonly token: JoinToken | undefined;
  /** The host that this key made with this token. */
  readonly before: { readonly hostId: string } | 'broken' | undefined;
  /** The host of this key. */
  readonly host: HostIdentityRow | undefined;
}): Decision {
  const refused = (error: EnrollmentError): Decision => ({ kind: 'refused', error });
  if (token === undefined) return refused(unknownToken());
  if (token.broken || before === 'broken') return refused(broken());
  if (before === undefined) {
    const error = whyUnusable(token) ?? (host === undefined ? undefined : retired());
    return error === undefined
      ? { kind: 'new', join, token, hostId: randomUUID(), counter: FIRST_COUNTER }
      : refused(error);
  }
  if (token.revokedAt !== null) return refused(revoked());
  if (host === undefined || host.id !== before.hostId || host.retired || host.revoked) return refused(retired());
  return { kind: 'again', join, token, hostId: host.id, counter: host.renewalCounter + 1 };
}

function whyUnusable(token: JoinToken): EnrollmentError | undefined {
  if (token.revokedAt !== null) return revoked();
  if (token.expired)
    return new EnrollmentError(
      'join_token_expired',
      'This join token has expired: make a new one with "modfleet join-tokens create".',
    );
  if (token.uses < token.maxUses) return undefined;
  return new EnrollmentError(
    'join_token_used_up',
    'This join token is used up: make a new one with "modfleet join-tokens create".',
  );
}

function unknownToken(): EnrollmentError {
  return new EnrollmentError(
    'join_token_invalid',
    'The server does not know this join token: make one with "modfleet join-tokens create".',
  );
}

function broken(): EnrollmentError {
  return new EnrollmentError(
    'join_token_seal_broken',
    'This join token was made or changed outside the server, or sealed with another key than the server has now: it lets no machine in. ' +
      'Make a new one with "modfleet join-tokens create"; the server\'s log says more.',
  );
}

function revoked(): EnrollmentError {
  return new EnrollmentError('join_token_revoked', 'This join token was revoked.');
}

function retired(): EnrollmentError {
  return new EnrollmentError(
    'host_retired',
    "This key belongs to a host that the server has already: remove the agent's state folder, then join anew.",
  );
}
