import { assertNever } from '@modfleet/proto';

/** How a session came to its end. */
export type SessionEnd =
  /** This agent stops. */
  | { readonly kind: 'stopped' }
  /** The server asks to come back later. */
  | { readonly kind: 'reconnect'; readonly afterMs: number; readonly reason: string }
  /**
   * The connection failed, or was never made. `code` is the gRPC status; `met`: our server was at the other end; `answered`: it gave the status, over a connection that it took.
   */
  | {
      readonly kind: 'failed';
      readonly welcomed: boolean;
      readonly code: number;
      readonly details: string;
      readonly met?: boolean;
      readonly answered?: boolean;
    }
  /** The next connection is made anew: an action changed this host's network, or the host has a new certificate. */
  | { readonly kind: 'renewed'; readonly why: 'network' | 'certificate' }
  /** The server ended the stream without a word. */
  | { readonly kind: 'ended'; readonly welcomed: boolean }
  /** No Welcome, or no answer to signs of life. */
  | { readonly kind: 'silent'; readonly welcomed: boolean }
  /** The server said what this build does not understand, or in the wrong order. */
  | { readonly kind: 'protocol'; readonly welcomed: boolean; readonly reason: string }
  /** More results wait than may be held. */
  | { readonly kind: 'overflow' };

/** One sentence for the log. */
export function wordsFor(end: SessionEnd): string {
  switch (end.kind) {
    case 'stopped':
      return 'the agent stops';
    case 'reconnect':
      if (end.reason === 'superseded')
        return 'another agent with the identity of this host took its place: was state_dir copied?';
      return `the server asks to come back in ${end.afterMs} ms (${end.reason})`;
    case 'renewed':
      return end.why === 'network'
        ? 'the network of this host was changed; the session is made anew'
        : 'the session moves to the new certificate';
    case 'failed':
      return `${end.welcomed ? 'the connection broke' : 'no session'}: ${end.details}`;
    case 'ended':
      return 'the server ended the session';
    case 'silent':
      return end.welcomed ? 'the server does not answer signs of life' : 'the server did not welcome this host in time';
    case 'protocol':
      return `the server does not keep to the protocol: ${end.reason}`;
    case 'overflow':
      return 'the server takes no results; they are kept and sent again';
    default:
      return assertNever(end);
  }
}

/** Whether the server had accepted this host. */
export function wasWelcomed(end: SessionEnd): boolean {
  return 'welcomed' in end ? end.welcomed : true;
}
