import { ActionPhase, type ActionRequest, type ActionResult, assertNever, type Book } from '@modfleet/proto';
import { HELPER_PROTOCOL, NOT_KNOWN } from '../helper/wire/protocol.ts';
import type { CourierWord, HelperWord } from '../helper/wire/strict-codec.ts';
import { type HelperLink, HelperUnavailableError } from './helper-link.ts';
import type { LaneParts } from './lane-parts.ts';
import { isLastWord, isSame } from './said-results.ts';

/** First and longest wait before a helper that could not be reached, or broke off, is asked again, ms. */
const RETRY_MS = { first: 500, most: 30_000 } as const;

/** A helper that starts says Ready; an emulated machine under load takes its time, and a helper before it may still be at work. */
const READY_WITHIN_MS = 90_000;

/** How long a helper is kept for the acknowledgement of its result; one that comes later gets a helper of its own, ms. */
const ACK_WAIT_MS = 5_000;

/** Starts of a helper that may fail in a row before what waits is refused: one may be the memory of the moment. */
const MAX_FAILED_STARTS = 3;

/** A stuck action is looked at anew this often: each look is a helper's start. */
const STUCK_LOOK_MS = 15_000;

/** Helpers that may break off over one request before it is given up: it may have run, so nothing is said of it, and the server says unconfirmed. */
const MAX_BREAKS = 5;

interface Pending {
  readonly request: ActionRequest;
  /** Helpers that broke off after it was sent; 0 with `sent` false means that no helper has seen it. */
  breaks: number;
  sent: boolean;
}

/**
 * One kind of helper, as the courier sees it: opens a link when there is something to say, closes it when there is not.
 *
 * INVARIANTS
 * - At most one link at a time.
 * - A request that may have reached a helper is never called "not taken": it is sent again, and the helper's journal answers.
 * - A result stays here until the server has it, whatever becomes of the link.
 */
export class HelperLane {
  readonly #parts: LaneParts;
  readonly #pending = new Map<string, Pending>();
  readonly #results = new Map<string, ActionResult>();
  readonly #acks = new Set<string>();
  readonly #cancels = new Set<string>();
  #book: Book | undefined;
  #settleWanted = false;
  #stopped = false;
  /** `closing`: nothing more is said to it; what is asked now is for the next helper. */
  #state: 'idle' | 'opening' | 'open' | 'closing' = 'idle';
  #link: HelperLink | undefined;
  #ready = false;
  /** Generation of the bundle that the helper of this link was told last. */
  #toldGeneration: number | undefined;
  #failures = 0;
  #failedStarts = 0;
  /** The helper of this link was given up because it took too long. */
  #wasLate = false;
  #trouble = '';
  #timer: unknown;
  #readyTimer: unknown;
  #stuckTimer: unknown;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** What the helper's journal stands at, as far as it has told. */
  get book(): Book | undefined {
    return this.#book;
  }

  results(): readonly ActionResult[] {
    return [...this.#results.values()];
  }

  has(actionId: string): boolean {
    return this.#pending.has(actionId) || this.#results.has(actionId) || this.#book?.open.includes(actionId) === true;
  }

  /** Has the helper settle what a crash left open, and tell its book. */
  settle(): void {
    this.#settleWanted = true;
    this.#pump();
  }

  submit(request: ActionRequest): void {
    const known = this.#pending.get(request.actionId);
    if (known === undefined) this.#pending.set(request.actionId, { request, breaks: 0, sent: false });
    // The same id with another request is a conflict, which the helper tells by its journal.
    else if (known.sent) this.#send({ $case: 'submit', value: request });
    this.#retryNow();
    this.#pump();
  }

  cancel(actionId: string): void {
    const pending = this.#pending.get(actionId);
    this.#cancels.add(actionId);
    if (pending === undefined || pending.sent) this.#sayReady({ $case: 'cancel', value: { actionId } });
    this.#pump();
  }

  acknowledge(actionIds: readonly string[]): void {
    const known = actionIds.filter((id) => this.#results.delete(id));
    // What only looks keeps no journal: nobody has to be told.
    if (this.#parts.kind === 'act' && known.length > 0) {
      for (const id of known) this.#acks.add(id);
      this.#sayReady({ $case: 'acknowledge', value: { actionIds: known } });
    }
    this.#pump();
  }

  /** Says it over the link, if there is one that is ready. */
  tell(word: CourierWord): void {
    this.#sayReady(word);
  }

  /** The helper that is there is told now; where there is none, one is started to learn it. */
  trustChanged(): void {
    if (this.#state === 'idle') this.settle();
    else if (this.#ready) this.#tellTrust();
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
    this.#parts.timers.clear(this.#stuckTimer);
    this.#link?.close();
  }

  #pump(): void {
    if (this.#stopped) return;
    if (this.#state === 'idle') {
      if (this.#isWorkWaiting() && this.#timer === undefined) void this.#openLink();
      return;
    }
    if (!this.#ready) return;
    for (const pending of this.#pending.values()) {
      if (pending.sent) continue;
      pending.sent = true;
      const { time } = this.#parts.open();
      if (time !== undefined) this.#send({ $case: 'time', value: time });
      this.#tellTrust();
      this.#send({ $case: 'submit', value: pending.request });
    }
    this.#closeWhenIdle();
  }

  #isWorkWaiting(): boolean {
    const isOpen = (this.#book?.open.length ?? 0) > 0;
    return this.#settleWanted || isOpen || this.#pending.size > 0 || this.#acks.size > 0 || this.#cancels.size > 0;
  }

  #closeWhenIdle(): void {
    this.#parts.timers.clear(this.#timer);
    this.#timer = undefined;
    if (this.#isWorkWaiting()) return;
    if (this.#results.size === 0 || this.#parts.kind === 'evidence') this.#closeLink();
    else this.#timer = this.#parts.timers.set(() => this.#closeLink(), ACK_WAIT_MS);
  }

  #closeLink(): void {
    this.#timer = undefined;
    this.#state = 'closing';
    this.#ready = false;
    this.#link?.close();
  }

  async #openLink(): Promise<void> {
    this.#state = 'opening';
    let link: HelperLink;
    try {
      link = await this.#parts.openLink(this.#parts.kind);
    } catch (error) {
      if (!(error instanceof HelperUnavailableError)) throw error;
      this.#state = 'idle';
      this.#unavailable(error.message);
      return;
    }
    this.#state = 'open';
    this.#link = link;
    link.onWord((word) => this.#heard(word));
    link.onEnd((why) => this.#ended(why));
    if (this.#stopped) return link.close();
    this.#wasLate = false;
    this.#readyTimer = this.#parts.timers.set(() => {
      this.#wasLate = true;
      link.drop(`it was not ready in ${READY_WITHIN_MS / 1000} s`);
    }, READY_WITHIN_MS);
    const open = this.#parts.open();
    this.#toldGeneration = open.trust?.generation;
    link.send({ $case: 'open', value: open });
  }

  #heard(word: HelperWord): void {
    const { log, onProgress, onStep, onConfirmWanted } = this.#parts;
    switch (word.$case) {
      case 'ready':
        this.#becameReady(word.value.protocol);
        return;
      case 'book':
        this.#gotBook(word.value);
        return;
      case 'progress': {
        const { actionId, phase, verdict, confirmDeadlineMs } = word.value;
        if (phase === ActionPhase.ACTION_PHASE_CANCEL_REFUSED) this.#cancels.delete(actionId);
        onProgress({ actionId, phase, ...(verdict === undefined ? {} : { verdict }), confirmDeadlineMs });
        return;
      }
      case 'result':
        this.#gotResult(word.value);
        return;
      case 'step':
        onStep(word.value.actionId, word.value.kmod, word.value.begins);
        return;
      case 'confirmWanted':
        onConfirmWanted(word.value, (answer) => this.#send(answer));
        return;
      case 'rejected': {
        const { actionId, code, message } = word.value;
        const request = this.#pending.get(actionId)?.request;
        this.#pending.delete(actionId);
        const looked = code !== NOT_KNOWN;
        if (request !== undefined)
          this.#parts.onNotTaken(request, { code: looked ? code : 'unsupported', message, looked });
        this.#pump();
        return;
      }
      case 'refused':
        log.error({ code: word.value.code }, `the helper refuses: ${word.value.message}`);
        this.#refused(word.value.code, word.value.message);
        return;
      default:
        assertNever(word);
    }
  }

  #becameReady(protocol: number): void {
    this.#parts.timers.clear(this.#readyTimer);
    if (protocol !== HELPER_PROTOCOL) {
      this.#refused(
        'protocol',
        `the helper speaks protocol ${protocol}, the agent ${HELPER_PROTOCOL}: restart the agent`,
      );
      this.#link?.close();
      return;
    }
    this.#ready = true;
    this.#failures = 0;
    this.#failedStarts = 0;
    this.#trouble = '';
    for (const pending of this.#pending.values()) pending.sent = false;
    for (const actionId of this.#cancels) this.#send({ $case: 'cancel', value: { actionId } });
    if (this.#acks.size > 0) this.#send({ $case: 'acknowledge', value: { actionIds: [...this.#acks] } });
    // Its results and its book follow Ready at once.
  }

  #gotBook(book: Book): void {
    this.#book = book;
    this.#settleWanted = false;
    for (const id of this.#acks) if (!book.unacknowledged.includes(id)) this.#acks.delete(id);
    this.#parts.timers.clear(this.#stuckTimer);
    this.#stuckTimer = book.stuck > 0 ? this.#parts.timers.set(() => this.settle(), STUCK_LOOK_MS) : undefined;
    this.#pump();
  }

  #gotResult(result: ActionResult): void {
    const { actionId } = result;
    const isAnswer = this.#pending.delete(actionId) || this.#cancels.delete(actionId);
    this.#cancels.delete(actionId);
    const known = this.#results.get(actionId);
    if (this.#acks.has(actionId) && !isAnswer) return;
    // What was told first was seen by who did it; a helper that knows it no longer (a full disk) can only judge by what is left.
    const told = known !== undefined && isLastWord(known, result) ? known : result;
    this.#results.set(actionId, told);
    if (isAnswer || known === undefined || !isSame(known, told)) this.#parts.onResult(told);
    this.#pump();
  }

  /** The helper takes nothing: what no helper has taken is answered; what one may have taken waits for a better time. */
  #refused(code: string, message: string): void {
    if (code !== 'busy') this.#answerUntaken(message);
  }

  #unavailable(message: string): void {
    // Said once, not at every attempt.
    if (message !== this.#trouble) this.#parts.log.error({ helper: this.#parts.kind }, `no helper: ${message}`);
    this.#trouble = message;
    this.#answerUntaken(`the agent's helper cannot be reached: ${message}`);
    this.#retryLater();
  }

  #answerUntaken(message: string, code: 'unsupported' | 'busy' = 'unsupported'): void {
    for (const [id, { request, breaks }] of this.#pending) {
      if (breaks > 0) continue;
      this.#pending.delete(id);
      this.#parts.onNotTaken(request, { code, message, looked: false });
    }
    for (const id of this.#cancels) {
      this.#cancels.delete(id);
      this.#parts.onCancelRefused(id);
    }
  }

  #ended(why: string): void {
    const wasReady = this.#ready;
    const wasClosing = this.#state === 'closing';
    this.#clear();
    this.#state = 'idle';
    this.#link = undefined;
    this.#ready = false;
    if (this.#stopped || !this.#isWorkWaiting()) return;
    if (wasClosing) return this.#pump();
    this.#parts.log.warn({ helper: this.#parts.kind }, `the helper went before its work was done: ${why}`);
    if (!wasReady) this.#startFailed(why);
    for (const [id, pending] of this.#pending) {
      if (wasReady && pending.sent) pending.breaks += 1;
      pending.sent = false;
      if (pending.breaks < MAX_BREAKS) continue;
      this.#pending.delete(id);
      this.#parts.log.error({ actionId: id }, 'helpers break off over this action; what became of it is not known');
    }
    this.#retryLater();
  }

  /** A helper that was not ready has been sent nothing. One that took too long says that the host is slow now, not that it cannot. */
  #startFailed(why: string): void {
    this.#failedStarts += 1;
    if (this.#failedStarts < MAX_FAILED_STARTS) return;
    const unit = `modfleet-${this.#parts.kind === 'act' ? 'helper' : 'evidence'}@*`;
    const message = `the agent's helper does not start: ${why}; "journalctl -u '${unit}'" says more`;
    this.#answerUntaken(message, this.#wasLate ? 'busy' : 'unsupported');
  }

  #retryLater(): void {
    if (this.#stopped || this.#timer !== undefined || !this.#isWorkWaiting()) return;
    const wait = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** Math.min(this.#failures, 10));
    this.#failures += 1;
    this.#timer = this.#parts.timers.set(() => {
      this.#timer = undefined;
      this.#pump();
    }, wait);
  }

  /** Somebody waits: no need to wait for the moment of the next attempt. */
  #retryNow(): void {
    if (this.#state !== 'idle') return;
    this.#parts.timers.clear(this.#timer);
    this.#timer = undefined;
  }

  /** Before a request: it may be signed by a CA that only this bundle makes known. */
  #tellTrust(): void {
    const { trust } = this.#parts.open();
    if (trust === undefined || trust.generation === this.#toldGeneration) return;
    this.#toldGeneration = trust.generation;
    this.#send({ $case: 'trust', value: trust });
  }

  #sayReady(word: CourierWord): void {
    if (this.#ready) this.#send(word);
  }

  #send(word: CourierWord): void {
    this.#link?.send(word);
  }

  #clear(): void {
    this.#parts.timers.clear(this.#timer);
    this.#timer = undefined;
    this.#parts.timers.clear(this.#readyTimer);
  }
}
