import type { Exec, ExecStream } from '../exec/exec.ts';
import type { KmodUevent, UeventReader, UeventSource } from './uevent-source.ts';

/** First and longest wait before the source's program is started again, ms. */
const RESTART_MS = { first: 1_000, longest: 60_000 } as const;

/** Who listens. */
export interface UeventListener {
  onEvent(event: KmodUevent): void;
  /** The watch broke off after it had worked: events may be lost until the next `onReady`. */
  onLost(why: string): void;
  /** The source's program ended, whether it had worked or not; it is started again. */
  onEnded?(why: string): void;
  /** The watch works: what happens from now on is told. */
  onReady(): void;
}

/**
 * Kernel uevents about kmods, through the program of a source.
 *
 * INVARIANTS
 * - Nothing counts as watched before the source says that it listens.
 * - An end is a loss, told once; then it starts again, waiting longer each time it ends without having said anything.
 */
export class UeventWatch {
  readonly #exec: Exec;
  readonly #source: UeventSource;
  readonly #listener: UeventListener;
  #stream: ExecStream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #ready = false;
  #waitMs: number = RESTART_MS.first;

  constructor(exec: Exec, source: UeventSource, listener: UeventListener) {
    this.#exec = exec;
    this.#source = source;
    this.#listener = listener;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Without the source's program nothing starts: the poll is all there is. */
  async start(): Promise<void> {
    const { program, args, options } = this.#source;
    if (this.#exec.find(program) === undefined) return;
    const reader = await this.#source.reader();
    if (this.#stopped) return;
    const stream = this.#exec.stream(program, args, options);
    this.#stream = stream;
    stream.onLine((line) => {
      if (this.#stopped) return;
      this.#waitMs = RESTART_MS.first;
      const event = reader.push(line);
      this.#noteReady(reader);
      if (event !== undefined) this.#listener.onEvent(event);
    });
    stream.onEnd((why) => this.#ended(why));
    this.#noteReady(reader);
  }

  stop(): void {
    this.#stopped = true;
    this.#ready = false;
    clearTimeout(this.#timer);
    this.#stream?.stop();
  }

  #noteReady({ listens }: UeventReader): void {
    if (this.#ready || !listens) return;
    this.#ready = true;
    this.#listener.onReady();
  }

  #ended(why: string): void {
    if (this.#stopped) return;
    const worked = this.#ready;
    this.#ready = false;
    this.#timer = setTimeout(() => void this.start(), this.#waitMs);
    this.#timer.unref();
    this.#waitMs = Math.min(this.#waitMs * 2, RESTART_MS.longest);
    this.#listener.onEnded?.(why);
    if (worked) this.#listener.onLost(why);
  }
}
