/**
 * The one place where a session's gRPC stream is touched.
 *
 * INVARIANTS
 * - One writer: `#pump`. It writes only while gRPC says there is room (`write() === true`, then 'drain').
 * - A host that sends faster than its loop reads is paused: at most READ_AHEAD messages wait.
 * - The stream ends once. A host whose outbox overflows, or that takes nothing for STALLED_MS, is closed: it comes back and says where it stands.
 */
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { assertNever, type SessionRequest, type SessionResponse } from '@modfleet/proto';
import type { ServerMessage } from './agent-gateway.ts';
import type { AgentStream, HostMessage, StreamEnd } from './agent-stream.ts';
import { MessageQueue } from './message-queue.ts';
import { Outbox } from './outbox.ts';

const READ_AHEAD = 32;
/** A host that takes nothing for so long is gone, or means no good; what it is sent is a few hundred bytes. */
const STALLED_MS = 60_000;

const STALLED = 'the host does not read what it is sent';

export type SessionCall = ServerDuplexStream<SessionRequest, SessionResponse>;

export class GrpcAgentStream implements AgentStream {
  readonly peer: string;
  readonly messages: MessageQueue<HostMessage>;
  readonly #call: SessionCall;
  readonly #outbox = new Outbox();
  readonly #stall: () => void;
  #stalled: NodeJS.Timeout | undefined;
  #full = false;
  #end: StreamEnd | undefined;
  #over = false;

  /** @param drop ends the connection, whatever is still to be sent over it. */
  constructor(call: SessionCall, drop: () => void, stalledMs: number = STALLED_MS) {
    this.#call = call;
    this.#stall = () => {
      this.#stalled ??= setTimeout(() => {
        this.close({ kind: 'unavailable', reason: STALLED });
        drop();
      }, stalledMs);
    };
    this.peer = call.getPeer();
    this.messages = new MessageQueue(() => {
      if (this.messages.length < READ_AHEAD / 2 && call.isPaused()) call.resume();
    });
    call.on('data', (request: SessionRequest) => {
      // A message of a newer agent that this server does not know has no case: nothing to do with it.
      if (request.message !== undefined) this.messages.push(request.message);
      if (this.messages.length >= READ_AHEAD) call.pause();
    });
    call.on('end', () => this.close({ kind: 'ok' }));
    call.on('close', () => this.#taken());
    call.on('cancelled', () => this.#finish());
    call.on('error', () => this.#finish());
    call.on('drain', () => {
      this.#full = false;
      this.#taken();
      this.#pump();
    });
  }

  send(message: ServerMessage): boolean {
    if (this.#over || this.#end !== undefined) return false;
    if (!this.#outbox.push(message)) {
      this.close({ kind: 'unavailable', reason: STALLED });
      return false;
    }
    this.#pump();
    return true;
  }

  close(end: StreamEnd): void {
    if (this.#over || this.#end !== undefined) return;
    this.#end = end;
    this.messages.end();
    this.#pump();
  }

  #pump(): void {
    while (!this.#full && !this.#over) {
      const message = this.#outbox.shift();
      if (message === undefined) break;
      this.#full = !this.#call.write({ message });
      if (this.#full) this.#stall();
    }
    // A host that does not read any more does not keep its end waiting either.
    const end = this.#end;
    if (end === undefined || this.#over) return;
    this.#finish();
    if (end.kind === 'ok') this.#call.end();
    else this.#call.emit('error', { code: statusOf(end), details: end.reason });
  }

  #taken(): void {
    clearTimeout(this.#stalled);
    this.#stalled = undefined;
  }

  #finish(): void {
    this.#over = true;
    this.messages.end();
  }
}

function statusOf(end: Exclude<StreamEnd, { kind: 'ok' }>): status {
  switch (end.kind) {
    case 'unavailable':
      return status.UNAVAILABLE;
    case 'refused':
      return status.PERMISSION_DENIED;
    case 'protocol':
      return status.INVALID_ARGUMENT;
    default:
      return assertNever(end);
  }
}
