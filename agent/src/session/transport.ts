import type { SessionRequest, SessionResponse } from '@modfleet/proto';

/** What the agent says. */
export type ToServer = NonNullable<SessionRequest['message']>;

/** What the server says; undefined for a kind that this build does not know. */
export type ToAgent = SessionResponse['message'];

/** How a transport came to its end. */
export type TransportEnd =
  | { readonly kind: 'closed' }
  /** The server ended the stream in order. */
  | { readonly kind: 'ended' }
  /** gRPC status code and words. `met`: our server was at the other end; `answered`: the words are its own, over a connection that it took. */
  | {
      readonly kind: 'failed';
      readonly code: number;
      readonly details: string;
      readonly met: boolean;
      readonly answered: boolean;
    };

/** IP addresses of a connection. */
export interface ConnectionAddresses {
  readonly local: string | undefined;
  readonly remote: string;
}

/** The stream, wrapped once: nothing above it sees gRPC. */
export interface SessionTransport {
  /** Resolves once the server has been met and what is sent goes out, or the transport has ended. */
  ready(): Promise<void>;
  /** Resolves when the stream takes the next message; also once the transport has ended (what was sent then is lost). One caller at a time. */
  send(message: ToServer): Promise<void>;
  /** One listener. Called from before the first message on. */
  onMessage(listener: (message: ToAgent) => void): void;
  /** Ends it; `end` follows. */
  close(): void;
  /** Resolves once, never rejects. */
  readonly end: Promise<TransportEnd>;
  /** The two ends of the connection as IP addresses, once it is made. */
  addresses(): ConnectionAddresses | undefined;
}

/** Opens a transport; the connection may fail later, through `end`. */
export type Connect = () => Promise<SessionTransport>;
