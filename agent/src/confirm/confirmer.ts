/** How one attempt to obtain the server's confirm ended. */
export type ConfirmAnswer =
  /** The server's own answer: the only thing that keeps a risky change. `from`: address and port of this host's end of that connection. */
  | { readonly kind: 'confirmed'; readonly from: string }
  /** The server answered no: it knows no such action of this host, or no window of it is open. Asking again is pointless. */
  | { readonly kind: 'refused'; readonly message: string }
  /** No answer: no connection, a time limit, a server that is going down. Ask again until the deadline. */
  | { readonly kind: 'unreachable'; readonly message: string };

/**
 * Asks the server for the confirm of an action, over a connection made for that (a connection from before the step proves nothing). One call is
 * one attempt; whoever calls repeats it until the window's deadline. Never throws, but for an aborted signal.
 */
export interface Confirmer {
  /** `timeoutMs`: how long this attempt may take, milliseconds. */
  confirm(actionId: string, timeoutMs: number, signal: AbortSignal): Promise<ConfirmAnswer>;
}
