import type { Welcome } from '@modfleet/proto';
import type { SessionEnd } from './session-end.ts';
import type { ToAgent } from './transport.ts';

/** What the server says to a host that it has welcomed. */
export type ServerWord = Exclude<NonNullable<ToAgent>, { $case: 'welcome' | 'reconnect' }>;

/** What a message means where the session stands. */
export type Reading =
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  | { readonly kind: 'word'; readonly word: ServerWord }
  | { readonly kind: 'end'; readonly end: SessionEnd };

/** Welcome comes first and once; Reconnect may come at any time; a message that this build does not know ends the session. */
export function readMessage(message: ToAgent, welcomed: boolean): Reading {
  const broken = (reason: string): Reading => ({ kind: 'end', end: { kind: 'protocol', welcomed, reason } });
  if (message === undefined) return broken('a message of a kind that this agent does not know (a newer server?)');
  switch (message.$case) {
    case 'welcome':
      return welcomed ? broken('a second Welcome') : { kind: 'welcome', welcome: message.value };
    case 'reconnect': {
      const { afterMs, reason } = message.value;
      return { kind: 'end', end: { kind: 'reconnect', afterMs, reason } };
    }
    default:
      return welcomed ? { kind: 'word', word: message } : broken(`${message.$case} before Welcome`);
  }
}
