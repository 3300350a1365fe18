import type { PeerIdentity } from './peer-identity.ts';

/** What a host hears that asks for the confirm of one of its actions. */
export type ConfirmDecision =
  | { readonly kind: 'given'; readonly at: Date }
  /** This host has no such action. */
  | { readonly kind: 'unknown' }
  /** The action has no window, or has ended; or the host may not act. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** It cannot be told now: ask again. */
  | { readonly kind: 'unavailable' };

/** Who gives confirms. `peer`: address and port of the host's end of this very connection. */
export interface ConfirmGiver {
  confirm(identity: PeerIdentity, actionId: string, peer: string): Promise<ConfirmDecision>;
}
