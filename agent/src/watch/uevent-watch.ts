import type { Exec, ExecStream } from '../exec/exec.ts';
import { UdevadmLines, type KmodUevent } from './udevadm-lines.ts';

/** First and longest wait before udevadm is started again, ms. */
const RESTART_MS = { first: 1_000, longest: 60_000 } as const;

/** Who listens. */
export interface UeventListener {
  onEvent(event: KmodUevent): void;
  /** The watch broke off after it had worked: events may be lost until the next `onReady`. */
  onLost(why: string): void;
  /** udevadm ended, whether it had worked or not; it is started again. */
  onEnded?(why: string): void;
  /** The watch works: what happens from now on is told. */
  onReady(): void;
}

/**
 * Kernel uevents about kmods, through `udevadm monitor`: Node has no netlink sockets, and udevadm needs neither root nor a running udevd.
 *
 * INVARIANTS
 * - udevadm says on its own when it listens (its header); nothing before that counts as watched.
 * - An end is a loss, told once; then it starts again, waiting longer each time it ends without having worked.
 */
export class UeventWatch {
  readonly #exec: Exec;
  readonly #listener: UeventListener;
  #stream: ExecStream | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #ready = false;
  #waitMs: number = RESTART_MS.first;

  constructor(exec: Exec, listener: UeventListener) {
    this.#exec = exec;
    this.#listener = listener;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Without udevadm nothing starts: the poll is all there is. */
  start(): void {
    if (this.#exec.find('udevadm') === undefined) return;
    const lines = new UdevadmLines();
    const stream = this.#exec.stream('udevadm', ['monitor', '--kernel', '--property', '--subsystem-match=module']);
    this.#stream = stream;
    stream.onLine((line) => {
      if (this.#stopped) return;
      if (!this.#ready && line.startsWith('KERNEL - ')) this.#becomeReady();
      const event = lines.push(line);
      if (event !== undefined) this.#listener.onEvent(event);
    });
    stream.onEnd((why) => this.#ended(why));
  }

  stop(): void {
    this.#stopped = true;
    this.#ready = false;
    clearTimeout(this.#timer);
    this.#stream?.stop();
  }

  #becomeReady(): void {
    this.#ready = true;
    this.#waitMs = RESTART_MS.first;
    this.#listener.onReady();
  }

  #ended(why: string): void {
    if (this.#stopped) return;
    const worked = this.#ready;
    this.#ready = false;
    this.#timer = setTimeout(() => this.start(), this.#waitMs);
    this.#timer.unref();
    this.#waitMs = Math.min(this.#waitMs * 2, RESTART_MS.longest);
    this.#listener.onEnded?.(why);
    if (worked) this.#listener.onLost(why);
  }
}
