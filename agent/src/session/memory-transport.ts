import { SessionRequest, SessionResponse } from '@modfleet/proto';
import type { SessionTransport, ToAgent, ToServer, TransportEnd } from './transport.ts';

/** The server's end of an in-memory transport, for tests. */
export interface MemoryServerEnd {
  /** Sends to the agent. */
  send(message: ToAgent): void;
  /** Next message of the agent; waits for it. Rejects once the transport has ended and nothing is left. */
  next(): Promise<ToServer>;
  /** Takes no more messages until `resume`: the agent's `ready` and `send` do not resolve. */
  pause(): void;
  resume(): void;
  fail(code: number, details: string): void;
  end(): void;
}

/** A pair without a network. Messages pass through protobuf, so that what cannot be encoded fails here as there. */
export function memoryTransport(): { readonly agent: SessionTransport; readonly server: MemoryServerEnd } {
  const arrived: ToServer[] = [];
  const waiting: { resolve: (message: ToServer) => void; reject: (error: Error) => void }[] = [];
  let listener: ((message: ToAgent) => void) | undefined;
  let ended = false;
  let finish!: (end: TransportEnd) => void;
  const end = new Promise<TransportEnd>((resolve) => (finish = resolve));
  let gate = Promise.resolve();
  let open: () => void = () => undefined;

  const finishOnce = (how: TransportEnd): void => {
    if (ended) return;
    ended = true;
    open();
    for (const waiter of waiting.splice(0)) waiter.reject(new Error('the transport has ended'));
    finish(how);
  };

  return {
    agent: {
      end,
      onMessage: (given) => (listener = given),
      close: () => finishOnce({ kind: 'closed' }),
      addresses: () => ({ local: '192.0.2.2', remote: '192.0.2.1' }),
      ready: () => gate,
      async send(message) {
        await gate;
        if (ended) return;
        const copy = SessionRequest.decode(SessionRequest.encode({ message }).finish()).message;
        if (copy === undefined) throw new Error('a message without content');
        const waiter = waiting.shift();
        if (waiter === undefined) arrived.push(copy);
        else waiter.resolve(copy);
      },
    },
    server: {
      send: (message) => {
        const copy = SessionResponse.decode(SessionResponse.encode({ message }).finish()).message;
        if (!ended) queueMicrotask(() => listener?.(copy));
      },
      next: () => {
        const message = arrived.shift();
        if (message !== undefined) return Promise.resolve(message);
        if (ended) return Promise.reject(new Error('the transport has ended'));
        return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
      },
      pause: () => {
        gate = new Promise((resolve) => (open = resolve));
      },
      resume: () => open(),
      fail: (code, details) => finishOnce({ kind: 'failed', code, details, met: true, answered: true }),
      end: () => finishOnce({ kind: 'ended' }),
    },
  };
}
