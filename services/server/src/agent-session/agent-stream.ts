import type { SessionRequest } from '@modfleet/proto';
import type { ServerMessage } from './agent-gateway.ts';
import { MessageQueue } from './message-queue.ts';

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

/** The host's end of an in-memory stream. */
export interface MemoryHostEnd {
  send(message: HostMessage): void;
  /** What the server said, in order. */
  readonly messages: AsyncIterable<ServerMessage>;
  /** The host goes away. */
  disconnect(): void;
  /** How the server ended it. */
  readonly ended: Promise<StreamEnd>;
}

/** Both ends of a stream in memory, for tests. */
export function memoryStream(peer = '192.0.2.1:1000'): { readonly server: AgentStream; readonly host: MemoryHostEnd } {
  const toServer = new MessageQueue<HostMessage>();
  const toHost = new MessageQueue<ServerMessage>();
  let over = false;
  let onEnded: (end: StreamEnd) => void = () => undefined;
  const ended = new Promise<StreamEnd>((resolve) => (onEnded = resolve));
  const finish = (end: StreamEnd): void => {
    if (over) return;
    over = true;
    toServer.end();
    toHost.end();
    onEnded(end);
  };
  return {
    server: {
      peer,
      messages: toServer,
      send: (message) => {
        if (!over) toHost.push(message);
        return !over;
      },
      close: finish,
    },
    host: {
      send: (message) => toServer.push(message),
      messages: toHost,
      disconnect: () => finish({ kind: 'ok' }),
      ended,
    },
  };
}
