import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import { LabError } from '../lab-error.ts';

interface QmpMessage {
  QMP?: unknown;
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  id?: number;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: LabError) => void;
}

/** QEMU's machine protocol (docs/interop/qmp-spec in its source), as far as the lab needs it. */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #closed = false;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    createInterface({ input: stream }).on('line', (line) => this.#receive(JSON.parse(line) as QmpMessage));
    stream.on('error', () => this.#close());
    stream.on('close', () => this.#close());
  }

  /** Takes over a fresh connection and leaves QEMU's negotiation mode. */
  static async open(stream: Duplex): Promise<QmpClient> {
    const client = new QmpClient(stream);
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Runs one command and gives what it returns; LabError with QEMU's own words when it refuses or is gone. */
  execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(new LabError(`QEMU is gone, ${command} was not sent`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  #receive(message: QmpMessage): void {
    if (message.id === undefined) return; // greeting or event
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.error !== undefined) waiting?.reject(new LabError(`QEMU: ${message.error.desc}`));
    else waiting?.resolve(message.return);
  }

  #close(): void {
    this.#closed = true;
    for (const waiting of this.#waiting.values()) waiting.reject(new LabError('QEMU ended before it answered'));
    this.#waiting.clear();
  }
}
