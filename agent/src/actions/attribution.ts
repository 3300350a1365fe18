import type { BootClock } from '../time/clock.ts';

/**
 * How long after a step an event is still put down to it: uevents come before rmmod and modprobe return, a poll may come one interval later
 * (2 s by default). Longer would claim what a person does right after us.
 */
const AFTER_MS = 2_500;

/** Which action is changing a kmod now, or did a moment ago. */
export class Attribution {
  readonly #clock: BootClock;
  readonly #now = new Map<string, string>();
  readonly #recent = new Map<string, { readonly actionId: string; readonly untilMs: number }>();

  constructor(clock: BootClock) {
    this.#clock = clock;
  }

  begin(actionId: string, kmod: string): void {
    this.#now.set(kmod, actionId);
  }

  end(actionId: string, kmod: string): void {
    this.#now.delete(kmod);
    for (const [name, { untilMs }] of this.#recent) if (untilMs < this.#clock.nowMs()) this.#recent.delete(name);
    this.#recent.set(kmod, { actionId, untilMs: this.#clock.nowMs() + AFTER_MS });
  }

  of(kmod: string): string | undefined {
    const now = this.#now.get(kmod);
    if (now !== undefined) return now;
    const recent = this.#recent.get(kmod);
    return recent !== undefined && recent.untilMs >= this.#clock.nowMs() ? recent.actionId : undefined;
  }
}
