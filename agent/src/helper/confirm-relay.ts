import { ConfirmAnswerKind, type ConfirmAnswered, type ConfirmWanted } from '@modfleet/proto';
import type { ConfirmAnswer, Confirmer } from '../confirm/confirmer.ts';

/** Past the time that the courier was given for an attempt, ms: its answer travels through two pipes. */
const GRACE_MS = 2_000;

/** Asks the courier to ask the server: the helper has no network. An attempt that is not answered in time counts as unreachable. */
export class ConfirmRelay implements Confirmer {
  readonly #waiting = new Map<
    number,
    { readonly actionId: string; readonly resolve: (answer: ConfirmAnswer) => void }
  >();
  #say: (wanted: ConfirmWanted) => void = () => undefined;
  #attempts = 0;
  #closed = false;

  /** `say` sends to the courier. */
  onWanted(say: (wanted: ConfirmWanted) => void): void {
    this.#say = say;
  }

  async confirm(actionId: string, timeoutMs: number, signal: AbortSignal): Promise<ConfirmAnswer> {
    signal.throwIfAborted();
    if (this.#closed) return { kind: 'unreachable', message: 'the courier is gone' };
    const attempt = (this.#attempts += 1);
    let timer: NodeJS.Timeout | undefined;
    let stop: () => void = () => undefined;
    try {
      return await new Promise<ConfirmAnswer>((resolve, reject) => {
        this.#waiting.set(attempt, { actionId, resolve });
        timer = setTimeout(
          () => resolve({ kind: 'unreachable', message: 'the courier did not answer' }),
          timeoutMs + GRACE_MS,
        );
        stop = () => reject(signal.reason as Error);
        signal.addEventListener('abort', stop, { once: true });
        this.#say({ actionId, timeoutMs: Math.max(1, Math.round(timeoutMs)), attempt });
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      this.#waiting.delete(attempt);
    }
  }

  /** The courier answered; an answer that nobody waits for changes nothing. */
  answered({ actionId, kind, detail, attempt }: ConfirmAnswered): void {
    const waiting = this.#waiting.get(attempt);
    if (waiting?.actionId !== actionId) return;
    if (kind === ConfirmAnswerKind.CONFIRM_ANSWER_KIND_CONFIRMED) waiting.resolve({ kind: 'confirmed', from: detail });
    else if (kind === ConfirmAnswerKind.CONFIRM_ANSWER_KIND_REFUSED)
      waiting.resolve({ kind: 'refused', message: detail });
    else waiting.resolve({ kind: 'unreachable', message: detail });
  }

  /** The courier is gone. */
  close(): void {
    this.#closed = true;
    for (const { resolve } of this.#waiting.values()) resolve({ kind: 'unreachable', message: 'the courier is gone' });
  }
}
