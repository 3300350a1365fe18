import type { TLSSocket } from 'node:tls';
import { ConfirmServiceService } from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import { UnaryChannel } from '../identity/grpc-unary.ts';
import type { HostIdentity } from '../identity/host-identity.ts';
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
  readonly #identity: HostIdentity;
  readonly #keyPem: string;

  constructor(address: SessionAddress, identity: HostIdentity, keyPem: string) {
    this.#address = address;
    this.#identity = identity;
    this.#keyPem = keyPem;
  }

  async confirm(actionId: string, timeoutMs: number, signal: AbortSignal): Promise<ConfirmAnswer> {
    const untilMs = performance.now() + timeoutMs;
    let socket: TLSSocket | undefined;
    const stop = (): void => void socket?.destroy();
    signal.addEventListener('abort', stop, { once: true });
    try {
      signal.throwIfAborted();
      socket = connectToSessionListener(this.#address, this.#identity, this.#keyPem);
      await secure(socket, timeoutMs);
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

function secure(socket: TLSSocket, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no TLS answer within ${timeoutMs} ms`)), timeoutMs);
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      resolve();
    });
    socket.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      reject(new Error('the connection ended'));
    });
  });
}

function answerOf(error: unknown): ConfirmAnswer {
  const message = messageOf(error);
  return {
    kind: error instanceof IdentityCallError && REFUSALS.has(error.status) ? 'refused' : 'unreachable',
    message,
  };
}
