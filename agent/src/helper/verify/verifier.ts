import type { ActionRequest } from '@modfleet/proto';

/** What an envelope's check says. `code` is a reason code of docs/outcomes.md. */
export type Verified =
  { readonly kind: 'ok' } | { readonly kind: 'rejected'; readonly code: EnvelopeCode; readonly message: string };

/** Why a command is not believed. */
export type EnvelopeCode = 'unsigned' | 'signature_invalid' | 'wrong_host' | 'not_yet';

/**
 * Who asked for this, and of whom? Everything else that the helper checks (grammar, order of commands, expiry, policy, protection, what was done
 * before) it checks besides, whatever a verifier says.
 */
export interface Verifier {
  verify(request: ActionRequest): Promise<Verified>;
}
