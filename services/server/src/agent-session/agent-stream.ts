import type { SessionRequest } from '@modfleet/proto';
import type { ServerMessage } from './agent-gateway.ts';

/** What a host may say. */
export type HostMessage = NonNullable<SessionRequest['message']>;

/** How the server ends a stream: `ok` after a Reconnect or the host's own end, else why not. */
export type StreamEnd =
  | { readonly kind: 'ok' }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'protocol'; readonly reason: string };

/** The one stream of a host, typed; nothing above it sees gRPC. */
export interface AgentStream {
  /** `address:port`, for logs and the host's page. */
  readonly peer: string;
  /** In order, until the host or the server ends the stream; never throws. */
  readonly messages: AsyncIterable<HostMessage>;
  /** Queues a message; false when the stream ended or its outbox is full. */
  send(message: ServerMessage): boolean;
  /** Sends what is queued, then ends. Later calls do nothing. */
  close(end: StreamEnd): void;
}
