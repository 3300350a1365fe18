import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { HostFacts, SERVER_TLS_NAME, SessionRequest } from '@modfleet/proto';
import { certificatePem } from '../../../services/server/src/ca/x509.ts';
import type { TestAgent } from '../../../services/server/src/testing/test-agent.ts';
import { type Attack, type Door, framed } from './attack.ts';

export interface Doors {
  readonly session: string;
  readonly identity: string;
  readonly caPem: string;
}

/** What the server said to a call. */
export interface CallEnd {
  /** gRPC status, or `http N`, `reset`, `closed`. */
  readonly status: string;
  readonly message: string;
}

/** An attack never waits longer; what it left open is destroyed then. */
const ATTACK_MS = 1_500;
/** So long silence is kept on a connection that is left open. */
const STAY_MS = 400;
const SLOW_STEP_MS = 60;

/** Somebody with an identity of the fleet, who does with it what it is not for. */
export class Attacker {
  readonly #doors: Doors;
  readonly #agent: TestAgent;

  constructor(doors: Doors, agent: TestAgent) {
    this.#doors = doors;
    this.#agent = agent;
  }

  /** Does it and leaves nothing open. @returns how the calls ended, where there were any. */
  async attack(attack: Attack): Promise<CallEnd[]> {
    switch (attack.kind) {
      case 'no TLS':
      case 'half a handshake':
        return this.#plain(attack.door, attack.bytes, attack.stay ? STAY_MS : 0);
      case 'slow':
        return this.#slow(attack.door, attack.bytes);
      case 'HTTP/2 frames':
        return this.#frames(attack.door, attack.bytes);
      case 'gRPC call':
        return this.#withHttp2(attack.door, async (session) => [
          await call(session, attack.path, attack.headers, attack.body, attack.hangUp),
        ]);
      case 'messages': {
        const body = attack.hello ? [this.#hello(), ...attack.messages] : attack.messages;
        return this.#withHttp2('session', async (session) => [await call(session, SESSION, {}, body, false)]);
      }
      case 'session flood':
        return this.#withHttp2('session', (session) =>
          Promise.all(Array.from({ length: attack.streams }, () => call(session, SESSION, {}, [this.#hello()], false))),
        );
    }
  }

  #hello(): Buffer {
    const value = {
      facts: HostFacts.fromPartial(this.#agent.facts),
      facets: [],
      unacknowledgedResults: [],
      openActions: [],
      tombstonesDigest: Buffer.alloc(0),
      boottimeMs: 1,
      newestCommand: undefined,
      trust: undefined,
    };
    return framed(Buffer.from(SessionRequest.encode({ message: { $case: 'hello', value } }).finish()), {
      flag: 0,
      length: undefined,
    });
  }

  #plain(door: Door, bytes: Buffer, stayMs: number): Promise<CallEnd[]> {
    return new Promise((resolve) => {
      const socket = connectTcp(portOf(this.#doors[door]), '127.0.0.1', () => socket.write(bytes));
      const timer = setTimeout(() => socket.destroy(), stayMs + 20);
      socket.on('error', () => undefined);
      socket.resume().once('close', () => {
        clearTimeout(timer);
        resolve([]);
      });
    });
  }

  #slow(door: Door, bytes: Buffer): Promise<CallEnd[]> {
    return new Promise((resolve) => {
      const socket = connectTcp(portOf(this.#doors[door]), '127.0.0.1');
      let at = 0;
      const timer = setInterval(
        () => (at < Math.min(bytes.length, 20) ? socket.write(bytes.subarray(at, ++at)) : socket.destroy()),
        SLOW_STEP_MS,
      );
      socket.on('error', () => undefined);
      socket.resume().once('close', () => {
        clearInterval(timer);
        resolve([]);
      });
    });
  }

  #tls(door: Door): TLSSocket {
    const identity =
      door === 'session' ? { key: this.#agent.keyPem, cert: certificatePem(this.#agent.certificate) } : {};
    return connectTls({
      port: portOf(this.#doors[door]),
      host: '127.0.0.1',
      ca: this.#doors.caPem,
      servername: SERVER_TLS_NAME,
      ALPNProtocols: ['h2'],
      ...identity,
    });
  }

  #frames(door: Door, frames: readonly Buffer[]): Promise<CallEnd[]> {
    return new Promise((resolve) => {
      const socket = this.#tls(door);
      let quiet: NodeJS.Timeout | undefined;
      const later = (): void => {
        clearTimeout(quiet);
        quiet = setTimeout(() => socket.destroy(), 100);
      };
      const limit = setTimeout(() => socket.destroy(), ATTACK_MS);
      socket.once('secureConnect', () => {
        for (const frame of frames) if (socket.writable) socket.write(frame);
        later();
      });
      socket.on('data', later).on('error', () => undefined);
      socket.once('close', () => {
        clearTimeout(quiet);
        clearTimeout(limit);
        resolve([]);
      });
    });
  }

  async #withHttp2(door: Door, run: (session: ClientHttp2Session) => Promise<CallEnd[]>): Promise<CallEnd[]> {
    const session = connectHttp2(`https://${SERVER_TLS_NAME}`, { createConnection: () => this.#tls(door) });
    session.on('error', () => undefined);
    const limit = setTimeout(() => session.destroy(), ATTACK_MS);
    try {
      return await run(session);
    } finally {
      clearTimeout(limit);
      session.destroy();
    }
  }
}

const SESSION = '/modfleet.agent.v1.SessionService/Session';

function call(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: readonly Buffer[],
  hangUp: boolean,
): Promise<CallEnd> {
  return new Promise((resolve) => {
    let end: CallEnd = { status: 'closed', message: '' };
    let stream: ClientHttp2Stream;
    try {
      stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...headers,
      });
    } catch (error) {
      // Node's own client refuses some of what is asked of it.
      return resolve({ status: 'not sent', message: String(error) });
    }
    const note = (fields: Record<string, unknown>): void => {
      if (fields['grpc-status'] !== undefined)
        end = {
          status: String(fields['grpc-status']),
          message: decodeURIComponent(String(fields['grpc-message'] ?? '').replaceAll(/%(?![0-9a-f]{2})/gi, '%25')),
        };
      else if (fields[':status'] !== undefined && fields[':status'] !== 200)
        end = { status: `http ${String(fields[':status'])}`, message: '' };
    };
    stream.on('response', note).on('trailers', note);
    stream.on('error', () => undefined);
    stream.once('close', () => resolve(end));
    stream.resume();
    for (const part of body) stream.write(part);
    if (hangUp) setTimeout(() => stream.close(8), 5);
    else stream.end();
  });
}

function portOf(address: string): number {
  return Number(address.slice(address.lastIndexOf(':') + 1));
}
