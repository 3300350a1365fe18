import { KmodState, type KmodEvent, type KmodEvents } from '@modfleet/proto';
import type { ProcModule } from '../kmod/proc-modules.ts';
import type { BootClock } from '../time/clock.ts';
import { KmodChanges, type KmodChange } from './kmod-changes.ts';
import type { KmodUevent } from './uevent-source.ts';

/** More events than this between two looks are not kept one by one: the look itself tells the state, and `lost` says so. */
const MAX_PENDING = 4_096;

/** Which action of ours changes a kmod now, if any. */
export type AttributionOf = (kmod: string) => string | undefined;

/** Collects what happened to kmods until the next look at /proc/modules, and says it with that look. */
export class KmodWatch {
  readonly #clock: BootClock;
  readonly #attributionOf: AttributionOf;
  readonly #changes = new KmodChanges();
  #pending: { readonly change: KmodChange; readonly seenAtMs: number; readonly actionId: string }[] = [];
  #lost = false;

  constructor(clock: BootClock, attributionOf: AttributionOf) {
    this.#clock = clock;
    this.#attributionOf = attributionOf;
  }

  onUevent(event: KmodUevent): void {
    this.#note(this.#changes.onUevent(event.action, event.kmod));
  }

  /** Uevents may have been lost: the next events say so. */
  onLost(): void {
    this.#lost = true;
  }

  /** /proc/modules cannot be read any more. */
  onUnreadable(): void {
    this.#changes.forget();
  }

  /** /proc/modules is about to be read. */
  beginLook(): void {
    this.#changes.beginPoll();
  }

  /** Everything since the last look, with what this look adds; undefined when nothing happened. */
  onLook(kmods: readonly ProcModule[]): KmodEvents | undefined {
    const live = kmods.filter((kmod) => kmod.state === KmodState.KMOD_STATE_LIVE).map((kmod) => kmod.name);
    for (const change of this.#changes.onPoll(
      live,
      kmods.map((kmod) => kmod.name),
    ))
      this.#note(change);
    if (this.#pending.length === 0 && !this.#lost) return undefined;
    const nowMs = this.#clock.nowMs();
    const events = this.#pending.map(({ change, seenAtMs, actionId }): KmodEvent => ({
      ...change,
      ageMs: Math.max(0, Math.round(nowMs - seenAtMs)),
      actionId,
    }));
    const told = { events, lost: this.#lost };
    this.#pending = [];
    this.#lost = false;
    return told;
  }

  #note(change: KmodChange | undefined): void {
    if (change === undefined) return;
    if (this.#pending.length >= MAX_PENDING) this.#lost = true;
    else
      this.#pending.push({ change, seenAtMs: this.#clock.nowMs(), actionId: this.#attributionOf(change.kmod) ?? '' });
  }
}
