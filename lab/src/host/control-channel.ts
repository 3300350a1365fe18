import { randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { LabError } from '../lab-error.ts';
import { type ControlRequest, parseControlLine, requestLine } from './control-protocol.ts';

/** What a command on a lab host gave. */
export interface CommandResult {
  stdout: string;
  stderr: string;
  code: number;
}

/** A command that the host did not get by then is sent again. An emulated host under load takes seconds to read a line. */
const SEND_AGAIN_MS = 10_000;

interface Waiting {
  request: ControlRequest;
  resolve: (result: CommandResult) => void;
  reject: (error: LabError) => void;
  timer: NodeJS.Timeout;
  /** Sends it again; undefined once the host has got it. */
  again: NodeJS.Timeout | undefined;
}

/**
 * The harness's end of a host's control port.
 * INVARIANTS: every command is answered or rejected once: by its result, its time limit, a reboot, or the end of the host.
 * Emits `ready` with the boot id each time that a host's control script starts.
 */
export class ControlChannel extends EventEmitter<{ ready: [bootId: string]; closed: [] }> {
  readonly #stream: Duplex;
  readonly #hostName: string;
  readonly #waiting = new Map<number, Waiting>();
  #nextId: number;

  /** @param firstId another one for each channel to the same host: it runs a command of one id once */
  constructor(stream: Duplex, hostName: string, firstId: number = randomInt(1_000_000) * 1_000_000) {
    super();
    this.#nextId = firstId;
    this.#stream = stream;
    this.#hostName = hostName;
    createInterface({ input: stream }).on('line', (line) => this.#receive(line));
    stream.on('error', () => undefined); // `close` follows
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      this.#rejectAll(`${this.#hostName} went off`);
      this.emit('closed');
    });
  }

  /** Runs a shell command as root on the host. Rejects after `timeoutMs`; the command itself is not ended by that. */
  run(command: string, timeoutMs: number): Promise<CommandResult> {
    return this.#ask({ verb: 'RUN', what: command }, timeoutMs);
  }

  /** As `cat path` there, without a program: exit code 1 when the file cannot be read. */
  read(path: string, timeoutMs: number): Promise<CommandResult> {
    return this.#ask({ verb: 'READ', what: path }, timeoutMs);
  }

  #ask(request: ControlRequest, timeoutMs: number): Promise<CommandResult> {
    if (this.#stream.destroyed) return Promise.reject(new LabError(`${this.#hostName} is off: ${request.what}`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const got = this.#take(id)?.again === undefined ? 'got it, and ' : '';
        reject(new LabError(`${this.#hostName} ${got}did not answer within ${timeoutMs} ms: ${request.what}`));
      }, timeoutMs);
      const send = (): boolean => this.#stream.write(requestLine(id, request));
      this.#waiting.set(id, { request, resolve, reject, timer, again: setInterval(send, SEND_AGAIN_MS) });
      send();
    });
  }

  #receive(line: string): void {
    const message = parseControlLine(line);
    switch (message.type) {
      case 'ready':
        this.#rejectAll(`${this.#hostName} started anew`);
        this.emit('ready', message.bootId);
        return;
      case 'got': {
        const waiting = this.#waiting.get(message.id);
        clearInterval(waiting?.again);
        if (waiting !== undefined) waiting.again = undefined;
        return;
      }
      case 'done': {
        const { id, ...result } = message;
        const waiting = this.#take(id);
        waiting?.resolve({ stdout: result.stdout, stderr: result.stderr, code: result.code });
        return;
      }
      case 'noise':
        return;
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    clearTimeout(waiting?.timer);
    clearInterval(waiting?.again);
    return waiting;
  }

  #rejectAll(why: string): void {
    for (const id of this.#waiting.keys()) {
      const waiting = this.#take(id);
      waiting?.reject(new LabError(`${why} before it answered: ${waiting.request.what}`));
    }
  }
}
