import { CliError } from '../errors/cli-error.ts';
import { EXIT } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';

const FIRST_MS = 250;
const LONGEST_MS = 4000;

/** Takes up a stream that broke, with growing pauses, until it failed so often in a row; then the server counts as away. */
export class Reconnect {
  readonly #io: Io;
  readonly #most: number;
  #failures = 0;

  constructor(io: Io, most: number) {
    this.#io = io;
    this.#most = most;
  }

  /** Something new came: what failed before is forgotten. */
  progressed(): void {
    this.#failures = 0;
  }

  /** @throws the error, when it is none that goes away by itself, or came too often. */
  lost(error: unknown): void {
    const mayRecover = error instanceof CliError && error.exitCode === EXIT.unreachable;
    if (!mayRecover || this.#failures >= this.#most) throw error;
  }

  /** @throws CliError 130 on Ctrl-C. */
  async pause(): Promise<void> {
    await this.#io.wait(Math.min(FIRST_MS * 2 ** this.#failures, LONGEST_MS)).catch(() => undefined);
    this.#failures += 1;
    if (this.#io.signal.aborted) throw new CliError('interrupted', { exitCode: EXIT.interrupted });
  }
}
