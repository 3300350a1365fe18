import { type ActionResult, ConfirmEnd, type ConfirmReport, Outcome, type PlanStep, Verb } from '@modfleet/proto';
import type { Holding, KernelState } from './action-host.ts';
import { ActionRun, type Begun, type RunPorts } from './action-run.ts';
import { type Ending, endingOfWindow } from './action.machine.ts';
import type { IntentRecord } from './journal/journal.ts';
import type { OpenAction } from './ledger.ts';
import { awaitedOf, settle, settleKept, wantsOf } from './recovery.ts';
import { STEP_DEADLINE_MS } from './steps/step-runner.ts';

/** How often a program that survived the agent is looked for: it costs a walk over all processes. */
const SURVIVOR_POLL_MS = 1_000;

/** How often a stuck kmod is looked at. It may take hours, or never end. */
const STUCK_POLL_MS = 5_000;

/** Settles what has no end yet: actions that a crash left open, and actions that were called stuck. */
export class Settler {
  readonly #ports: RunPorts;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #stopped: AbortSignal;
  readonly #say: (result: ActionResult) => void;

  constructor(
    ports: RunPorts,
    sleep: (ms: number, signal: AbortSignal) => Promise<void>,
    stopped: AbortSignal,
    say: (result: ActionResult) => void,
  ) {
    this.#ports = ports;
    this.#sleep = sleep;
    this.#stopped = stopped;
    this.#say = say;
  }

  /** Ends every open action: from the kernel's state, or by running its plan on. */
  async settleAll(): Promise<void> {
    for (const open of this.#ports.book.ledger.openActions()) this.#say(await this.#settleOne(open));
    await this.tidy();
  }

  /** Forgets windows whose actions have ended. That of a stuck action is needed once more when its routine returns. */
  async tidy(): Promise<void> {
    const stuck = this.#ports.book.ledger.stuckActions();
    if (stuck.every(({ intent }) => intent.request.confirmWindowSeconds === 0))
      await this.#ports.windows?.tidy(this.#stopped);
  }

  /** Looks at stuck actions until stopped; each one that ends after all is reported once. */
  watchStuck(inLane: (job: () => Promise<void>) => void): void {
    void (async () => {
      while (!this.#stopped.aborted) {
        await this.#sleep(STUCK_POLL_MS, this.#stopped);
        if (this.#ports.book.ledger.stuckActions().length > 0) inLane(() => this.lookAtStuck());
      }
    })().catch(() => undefined);
  }

  async #settleOne(open: OpenAction): Promise<ActionResult> {
    const { host, book, log } = this.#ports;
    const { request, digest, verdict, bootId } = open.intent;
    const sameBoot = bootId !== '' && bootId === (await host.bootId());
    if (sameBoot) await this.#outliveSurvivor(open);
    const run = new ActionRun(request, digest, this.#ports);
    const confirm = await this.#ports.windows?.afterCrash(request.actionId, this.#stopped);
    if (confirm !== undefined) {
      log.warn({ actionId: request.actionId, confirm }, 'a confirm window was open when the agent started');
      const ending =
        confirm.end === ConfirmEnd.CONFIRM_END_KEPT
          ? settleKept(open.intent, sameBoot, await host.stateOf(request.kmod), await this.#holdings(open.intent))
          : endingOfWindow(confirm);
      return run.endWith(ending, verdict, begunIn(open.intent, sameBoot), confirm);
    }
    const settlement = settle(open, {
      mayAct: book.complete,
      sameBoot,
      state: await host.stateOf(request.kmod),
      parametersHold: await host.hasParameters(request.kmod, request.parameters),
      holdings: await this.#holdings(open.intent),
      awaited: await this.#stateOf(awaitedOf(open)),
    });
    log.warn(
      { actionId: request.actionId, kmod: request.kmod, settlement },
      'an action was open when the agent started',
    );
    return settlement.kind === 'end'
      ? run.endWith(settlement.ending, verdict, begunIn(open.intent, sameBoot))
      : run.finishFrom(settlement.fromStep, verdict, open.intent);
  }

  async #holdings({ verdict }: IntentRecord): Promise<Holding[]> {
    const holdings: Holding[] = [];
    for (const step of wantsOf(verdict.plan)) holdings.push(await this.#ports.host.holds(step));
    return holdings;
  }

  async #stateOf(kmod: string | undefined): Promise<KernelState | undefined> {
    return kmod === undefined ? undefined : this.#ports.host.stateOf(kmod);
  }

  /** A program that a step started may have outlived the agent; it has the step's deadline before the kernel's state is taken as it is. */
  async #outliveSurvivor({ intent, lastStep }: OpenAction): Promise<void> {
    const { host, clock } = this.#ports;
    const step = intent.verdict.plan[lastStep];
    const deadline = step?.kind === 'rmmod' ? STEP_DEADLINE_MS.rmmod : STEP_DEADLINE_MS.modprobe;
    const until = clock.nowMs() + deadline;
    while (clock.nowMs() < until && (await host.stepStillRuns(step?.kmod ?? intent.request.kmod))) {
      await this.#sleep(SURVIVOR_POLL_MS, this.#stopped);
    }
  }

  /** Before anything else is done on the host: what a further action does must not be put down to one that was stuck. */
  async lookAtStuck(): Promise<void> {
    const { host, book } = this.#ports;
    if (book.ledger.stuckActions().length === 0) return;
    const bootId = await host.bootId();
    for (const open of book.ledger.stuckActions()) {
      const { intent } = open;
      const sameBoot = intent.bootId === bootId;
      const { kmod, step } = stuckAt(open);
      if (sameBoot && (await host.stepStillRuns(kmod))) continue;
      const holds = step === undefined ? 'unknown' : await host.holds(step);
      const end = lateEnd(open, sameBoot, await host.stateOf(kmod), holds);
      if (end === undefined) continue;
      const run = new ActionRun(intent.request, intent.digest, this.#ports);
      const begun = begunIn(intent, sameBoot);
      const confirm = await this.#windowOf(intent, sameBoot);
      const ending = confirm === undefined ? { ...end, code: '' } : lateEndInWindow(end, sameBoot, confirm);
      this.#say(await run.endWith(ending, intent.verdict, begun, confirm));
    }
  }

  /** What becomes of the window of an action that was stuck: put back once more, in the boot in which the routine returned. */
  async #windowOf({ request }: IntentRecord, sameBoot: boolean): Promise<ConfirmReport | undefined> {
    const { windows } = this.#ports;
    if (request.confirmWindowSeconds === 0) return undefined;
    return sameBoot
      ? windows?.again(request.actionId, this.#stopped)
      : windows?.afterCrash(request.actionId, this.#stopped);
  }
}

/** Inside a window a step that hung has failed, whatever its routine did in the end: the host was put back, or is as the boot made it. Pure. */
function lateEndInWindow({ message }: { message: string }, sameBoot: boolean, confirm: ConfirmReport): Ending {
  if (!sameBoot) return { outcome: Outcome.OUTCOME_INTERRUPTED, code: '', message };
  return { ...endingOfWindow(confirm), message: `${message}; ${endingOfWindow(confirm).message}` };
}

/** In another boot no log line is of this action. */
function begunIn(intent: IntentRecord, sameBoot: boolean): Begun {
  return sameBoot ? intent : { ...intent, startedBootMs: Number.MAX_SAFE_INTEGER };
}

/** What a stuck action is stuck at. */
function stuckAt({ intent, lastStep }: OpenAction): { readonly kmod: string; readonly step: PlanStep | undefined } {
  const step = intent.verdict.plan[lastStep];
  const { verb, kmod } = intent.request;
  return { kmod: verb === Verb.VERB_RESTORE ? (step?.kmod ?? kmod) : kmod, step };
}

/** A write that does not return leaves nothing that shows it; that it has had its effect does. */
function lateWrite({ kind, kmod }: PlanStep, holds: Holding, isLast: boolean) {
  if (holds !== 'yes') return undefined;
  if (isLast) return { outcome: Outcome.OUTCOME_SUCCEEDED, message: `${kind} of ${kmod} returned late, and is so` };
  const message = `${kind} of ${kmod} returned late, and the steps after it were not tried`;
  return { outcome: Outcome.OUTCOME_FAILED, message };
}

/** How a stuck action ended after all; undefined while it has not. Only a last step that had its effect late has done what was asked. Pure. */
export function lateEnd(
  { intent, lastStep }: OpenAction,
  sameBoot: boolean,
  state: KernelState,
  holds: Holding = 'unknown',
): { outcome: Outcome; message: string } | undefined {
  const { plan } = intent.verdict;
  const { kmod, step } = stuckAt({ intent, lastStep });
  if (!sameBoot) {
    return { outcome: Outcome.OUTCOME_INTERRUPTED, message: `${kmod} was stuck until the host rebooted` };
  }
  if (step !== undefined && step.kind !== 'rmmod' && step.kind !== 'modprobe')
    return lateWrite(step, holds, lastStep === plan.length - 1);
  if (state === 'unloading' || state === 'loading' || state === 'unknown') return undefined;
  const isLast = lastStep === plan.length - 1;
  const unloads = plan[lastStep]?.kind === 'rmmod';
  if (isLast && unloads && state === 'absent')
    return { outcome: Outcome.OUTCOME_SUCCEEDED, message: `${kmod} is unloaded: its exit routine returned late` };
  if (isLast && !unloads && state === 'live')
    return { outcome: Outcome.OUTCOME_SUCCEEDED, message: `${kmod} is loaded: its init routine returned late` };
  const rest = isLast ? '' : ', and the steps after it were not tried';
  return {
    outcome: Outcome.OUTCOME_FAILED,
    message: `${kmod} is ${state === 'live' ? 'loaded' : 'not loaded'}: a routine returned late${rest}`,
  };
}
