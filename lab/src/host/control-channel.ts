import { EventEmitter } from 'node:events';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { LabError } from '../lab-error.ts';
import { parseControlLine, runLine } from './control-protocol.ts';

/** What a command on a lab host gave. */
export interface CommandResult {
  stdout: string;
  stderr: string;
  code: number;
}

interface Waiting {
  command: string;
  resolve: (result: CommandResult) => void;
  reject: (error: LabError) => void;
  timer: NodeJS.Timeout;
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
  #nextId = 1;

  constructor(stream: Duplex, hostName: string) {
    super();
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
    if (this.#stream.destroyed) return Promise.reject(new LabError(`${this.#hostName} is off: ${command}`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new LabError(`${this.#hostName} did not answer within ${timeoutMs} ms: ${command}`));
      }, timeoutMs);
      this.#waiting.set(id, { command, resolve, reject, timer });
      this.#stream.write(runLine(id, command));
    });
  }

  #receive(line: string): void {
    const message = parseControlLine(line);
    switch (message.type) {
      case 'ready':
        this.#rejectAll(`${this.#hostName} started anew`);
        this.emit('ready', message.bootId);
        return;
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
    return waiting;
  }

  #rejectAll(why: string): void {
    for (const id of this.#waiting.keys()) {
      const waiting = this.#take(id);
      waiting?.reject(new LabError(`${why} before it answered: ${waiting.command}`));
    }
  }
}
