import type { TLSSocket } from 'node:tls';
import { ConfirmServiceService } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import { UnaryChannel } from '../identity/grpc-unary.ts';
import type { Credentials } from '../identity/kept-identity.ts';
import { IdentityCallError } from '../identity/identity-errors.ts';
import { connectToSessionListener, type SessionAddress } from '../session/session-tls.ts';
import type { ConfirmAnswer, Confirmer } from './confirmer.ts';

/**
 * Statuses with which the server says no (grpc.io, "Status codes and their use"): INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED,
 * FAILED_PRECONDITION, UNAUTHENTICATED. Every other one may be a yes at the next attempt.
 */
const REFUSALS: ReadonlySet<number> = new Set([3, 5, 7, 9, 16]);

/**
 * Asks the server's session listener with mutual TLS; the pinned CA is the only root.
 *
 * INVARIANT: each attempt opens a TCP connection of its own and closes it. Nothing is pooled: a socket from before the step may go on for a
 * while over what is left of a network, and proves nothing.
 */
export class TlsConfirmer implements Confirmer {
  readonly #address: SessionAddress;
  readonly #credentials: () => Credentials;

  constructor(address: SessionAddress, credentials: () => Credentials) {
    this.#address = address;
    this.#credentials = credentials;
  }

  async confirm(actionId: string, timeoutMs: number, signal: AbortSignal): Promise<ConfirmAnswer> {
    const untilMs = performance.now() + timeoutMs;
    let socket: TLSSocket | undefined;
    const stop = (): void => void socket?.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      const connection = connectToSessionListener(this.#address, this.#credentials());
      socket = connection.socket;
      await inTime(connection.proven, timeoutMs);
      const from = `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
      const channel = new UnaryChannel(socket);
      const left = Math.max(1, Math.round(untilMs - performance.now()));
      const answer = await channel
        .call(ConfirmServiceService.confirm, { actionId }, left)
        .finally(() => channel.close());
      if (answer.actionId !== actionId) return { kind: 'unreachable', message: 'the answer is about another action' };
      return { kind: 'confirmed', from };
    } catch (error) {
      signal.throwIfAborted();
      return answerOf(error);
    } finally {
      signal.removeEventListener('abort', stop);
      socket?.destroy();
    }
  }
}

async function inTime(proven: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no TLS answer within ${timeoutMs} ms`)), timeoutMs);
  });
  await Promise.race([proven, late]).finally(() => clearTimeout(timer));
}

function answerOf(error: unknown): ConfirmAnswer {
  const message = messageOf(error);
  return {
    kind: error instanceof IdentityCallError && REFUSALS.has(error.status) ? 'refused' : 'unreachable',
    message,
  };
}
