import type { ActionRequest } from '@modfleet/proto';

/** What an envelope's check says. */
export type Verified = { readonly kind: 'ok' } | { readonly kind: 'rejected'; readonly message: string };

/**
 * Who asked for this? The place for the server's signature over a request, and for the epoch that takes old keys back. Everything else that the
 * helper checks (grammar, host, expiry, policy, protection, what was done before) it checks besides, whatever a verifier says.
 */
export interface Verifier {
  verify(request: ActionRequest): Promise<Verified>;
}

/**
 * Requests are not signed yet: whoever speaks as the courier is believed to speak for the server. What a courier that was taken over can do with
 * that is said in docs/agent.md.
 */
export class UnsignedVerifier implements Verifier {
  verify(): Promise<Verified> {
    return Promise.resolve({ kind: 'ok' });
  }
}
