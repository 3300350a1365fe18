import {
  ActionPhase,
  type ActionRequest,
  type ActionResult,
  assertNever,
  type ConfirmReport,
  isKnownVerb,
  isResolvable,
  type PlanStep,
  type ReloadPath,
  splitPaths,
  type StepResult,
  type UndoStep,
  Verb,
  type Verdict,
} from '@modfleet/proto';
import { messageOf } from '../error-words.ts';
import type { BootClock, ServerClock } from '../time/clock.ts';
import type { ActionProgressReport } from './action-engine.ts';
import type { ActionHost, ActionLog } from './action-host.ts';
import {
  type ActionEffect,
  type ActionEvent,
  type ActionState,
  type Ending,
  loadsAgain,
  type StepEnd,
  type StepReport,
  transition,
} from './action.machine.ts';
import type { Book } from './book.ts';
import type { ConfirmWindows } from './confirm-windows.ts';
import { withDrift } from './findings/drift-finding.ts';
import { withWindowObstacle } from './findings/window-finding.ts';
import { JournalDamagedError, JournalUnavailableError } from './journal/journal.ts';
import type { HostRecord } from './undo/host-record.ts';
import { undoOf } from './undo/undo.ts';

/** What is known of how an action began. */
export interface Begun {
  /** Server time, ms since the epoch. */
  readonly startedAtMs: number;
  /** Boot time, ms; log lines before it are not of this action. */
  readonly startedBootMs: number;
  readonly taintBefore: number | undefined;
  /** How the host stood before. */
  readonly before?: HostRecord | undefined;
}

/** What a run needs of the world. */
export interface RunPorts {
  readonly host: ActionHost;
  readonly book: Book;
  readonly clock: BootClock;
  readonly serverClock: ServerClock;
  readonly log: ActionLog;
  readonly tell: (report: ActionProgressReport) => void;
  /** Called around each step, for attributing events. */
  readonly onStep: (actionId: string, kmod: string, begins: boolean) => void;
  /** Undefined: this host gives no confirm window. */
  readonly windows: ConfirmWindows | undefined;
  /** Aborted when the engine stops. */
  readonly stopped: AbortSignal;
}

/** One action from its turn to its result: applies the machine's effects, one after the other. */
export class ActionRun {
  readonly request: ActionRequest;
  /** Hex. */
  readonly digest: string;
  readonly #ports: RunPorts;
  readonly #steps: StepResult[] = [];
  #state: ActionState = { kind: 'waiting' };
  #result: ActionResult | undefined;
  #startedAtMs = 0;
  #begunAtBootMs = 0;
  #taintBefore: number | undefined;
  #before: HostRecord | undefined;
  #windowOpen = false;
  #confirm: ConfirmReport | undefined;

  constructor(request: ActionRequest, digest: string, ports: RunPorts) {
    this.request = request;
    this.digest = digest;
    this.#ports = ports;
  }

  /** Whether the first step has begun, so that only the end can stop it. */
  get started(): boolean {
    return ['opening_window', 'stepping', 'closing_window'].includes(this.#state.kind);
  }

  /** Runs it to its end; the result is in the book when this resolves. */
  async toEnd(): Promise<ActionResult> {
    return this.#pump({ kind: 'turn' });
  }

  /** Goes on with a plan that a crash interrupted, from this step. */
  async finishFrom(step: number, verdict: Verdict, begun: Begun): Promise<ActionResult> {
    this.#state = { kind: 'stepping', verdict, index: step };
    this.#startedAtMs = begun.startedAtMs;
    this.#taintBefore = begun.taintBefore;
    this.#before = begun.before;
    this.#begunAtBootMs = begun.startedBootMs;
    return this.#pump(await this.#runStep(step, verdict.plan[step]));
  }

  /** Ends it without a step: what is left to say after a crash. `confirm`: what became of its window. */
  async endWith(
    ending: Ending,
    verdict: Verdict | undefined,
    begun: Begun,
    confirm?: ConfirmReport,
  ): Promise<ActionResult> {
    this.#confirm = confirm;
    this.#windowOpen = confirm !== undefined;
    this.#state = { kind: 'ended' };
    this.#startedAtMs = begun.startedAtMs;
    this.#begunAtBootMs = begun.startedBootMs;
    this.#taintBefore = begun.taintBefore;
    this.#before = begun.before;
    return this.#end(ending, verdict);
  }

  cancel(): void {
    const { next, effects } = transition(this.request, this.#state, { kind: 'cancel' }, this.#ports.serverClock.now());
    this.#state = next;
    for (const effect of effects) {
      if (effect.kind === 'tell_cancel_refused') this.#tell(ActionPhase.ACTION_PHASE_CANCEL_REFUSED);
    }
  }

  async #pump(first: ActionEvent): Promise<ActionResult> {
    let event: ActionEvent | undefined = first;
    while (event !== undefined) {
      const { next, effects } = transition(this.request, this.#state, event, this.#ports.serverClock.now());
      this.#state = next;
      event = undefined;
      for (const effect of effects) event = (await this.#apply(effect)) ?? event;
    }
    if (this.#result === undefined) throw new Error(`action ${this.request.actionId} has no end`);
    return this.#result;
  }

  async #apply(effect: ActionEffect): Promise<ActionEvent | undefined> {
    switch (effect.kind) {
      case 'assess':
        return this.#assess();
      case 'write_intent':
        return this.#writeIntent(effect.verdict);
      case 'tell_started':
        this.#tell(ActionPhase.ACTION_PHASE_STARTED, effect.verdict);
        return undefined;
      case 'tell_cancel_refused':
        this.#tell(ActionPhase.ACTION_PHASE_CANCEL_REFUSED);
        return undefined;
      case 'open_window':
        return this.#openWindow(effect.verdict);
      case 'run_step':
        return this.#runStep(effect.index, effect.step);
      case 'close_window':
        return this.#closeWindow(effect.failed);
      case 'end':
        await this.#end(effect.ending, effect.verdict);
        return undefined;
      default:
        return assertNever(effect);
    }
  }

  async #assess(): Promise<ActionEvent> {
    const { host, book, log } = this.#ports;
    try {
      const verdict = await host.assess(this.request, book.ledger.diedIn(await host.bootId()));
      const answer = await withWindowObstacle(this.request, verdict, this.#ports.windows);
      return { kind: 'assessed', verdict: withDrift(this.request, answer) };
    } catch (error) {
      log.error({ actionId: this.request.actionId, err: error }, 'the host could not be assessed');
      return {
        kind: 'assess_failed',
        message: `the host could not be assessed: ${messageOf(error)}`,
      };
    }
  }

  async #writeIntent(verdict: Verdict): Promise<ActionEvent> {
    const { host, book, serverClock, clock } = this.#ports;
    const now = serverClock.now();
    this.#begunAtBootMs = clock.nowMs();
    this.#taintBefore = await host.taint();
    try {
      this.#before = await host.record(await host.touchedBy(verdict.plan));
    } catch (error) {
      const message = `how this host stands could not be recorded, so nothing could put it back: ${messageOf(error)}`;
      return { kind: 'intent_failed', code: 'unsupported', message: `${message}; nothing was touched` };
    }
    try {
      await book.putIntent({
        kind: 'intent',
        id: this.request.actionId,
        digest: this.digest,
        request: this.request,
        verdict,
        bootId: await host.bootId(),
        startedAtMs: Math.round(now?.ms ?? 0),
        startedBootMs: this.#begunAtBootMs,
        taintBefore: this.#taintBefore,
        before: this.#before,
      });
    } catch (error) {
      if (!(error instanceof JournalUnavailableError || error instanceof JournalDamagedError)) throw error;
      return { kind: 'intent_failed', code: 'unjournalled', message: error.message };
    }
    return { kind: 'intent_written' };
  }

  async #openWindow(verdict: Verdict): Promise<ActionEvent> {
    const { actionId, kmod, confirmWindowSeconds } = this.request;
    const kmods = [...new Set(verdict.plan.map((step) => step.kmod))];
    const order = { actionId, kmod, kmods, windowSeconds: confirmWindowSeconds };
    const opening = await this.#ports.windows?.open(order);
    if (opening?.kind !== 'opened') {
      return { kind: 'window_failed', code: opening?.code ?? 'unsupported', message: opening?.message ?? NO_WINDOW };
    }
    this.#windowOpen = true;
    const { deadlineServerMs } = opening;
    this.#ports.tell({
      actionId,
      phase: ActionPhase.ACTION_PHASE_CONFIRM_PENDING,
      confirmDeadlineMs: deadlineServerMs,
    });
    return { kind: 'window_opened' };
  }

  async #closeWindow(failed: boolean): Promise<ActionEvent> {
    const { windows, stopped } = this.#ports;
    const { actionId } = this.request;
    if (windows === undefined) throw new Error(`action ${actionId} has a window that this host does not give`);
    if (!failed && this.#hasLoadedAgain()) await windows.putBack(actionId);
    this.#confirm = failed ? await windows.giveUp(actionId, stopped) : await windows.ask(actionId, stopped);
    return { kind: 'window_ended', report: this.#confirm };
  }

  async #runStep(index: number, step: PlanStep | undefined): Promise<ActionEvent> {
    if (step === undefined) throw new Error(`the plan has no step ${index}`);
    const { host, book, onStep, serverClock } = this.#ports;
    const { actionId } = this.request;
    if (this.#startedAtMs === 0) this.#startedAtMs = Math.round(serverClock.now()?.ms ?? 0);
    if (index > 0) await book.putStep(actionId, index);
    onStep(actionId, step.kmod, true);
    const report: StepReport = await host.execute(step, actionId);
    onStep(actionId, step.kmod, false);
    this.#steps.push(report.result);
    if (report.end.kind === 'kernel_died') {
      await book.putDied({
        kind: 'kernel_died',
        id: actionId,
        bootId: await host.bootId(),
        detail: report.end.message,
      });
    }
    return { kind: 'step_ended', end: await this.#lookAgain(step, report.end) };
  }

  /** A restore loads with exactly what was recorded: a kmod that shows other values is not as it was. */
  async #lookAgain(step: PlanStep, end: StepEnd): Promise<StepEnd> {
    const { kmod, parameters } = step;
    if (this.request.verb !== Verb.VERB_RESTORE || end.kind !== 'done' || step.kind !== 'modprobe') return end;
    if ((await this.#ports.host.hasParameters(kmod, parameters)) !== false) return end;
    return { kind: 'not_verified', message: `${kmod} is loaded, and not with the parameters that were recorded` };
  }

  /** Whether a kmod went and came again: what hung on it may not have come by itself. */
  #hasLoadedAgain(): boolean {
    const done = this.#steps.flatMap(({ step }) => (step === undefined ? [] : [step]));
    return loadsAgain(done, done);
  }

  async #end(ending: Ending, verdict: Verdict | undefined): Promise<ActionResult> {
    const { host, book, serverClock } = this.#ports;
    const { verb, kmod, dryRun, expiresAtMs } = this.request;
    const begun = this.#steps.length > 0 || this.#startedAtMs > 0;
    const state = await host.stateOf(kmod);
    const mayReturn = begun && state === 'absent' && verb !== Verb.VERB_SET_PARAMETERS;
    const reloadPaths = mayReturn ? await this.#reloadPaths(verdict) : [];
    const taintAfter = begun ? await host.taint() : undefined;
    const result: ActionResult = {
      actionId: this.request.actionId,
      requestDigest: Buffer.from(this.digest, 'hex'),
      outcome: ending.outcome,
      dryRun,
      verdict,
      steps: this.#steps,
      message:
        (ending.message === '' ? successMessage(this.request, reloadPaths) : ending.message) +
        taintWords(this.#taintBefore, taintAfter),
      reasonCode: ending.code,
      loadedAfter: state === 'unknown' ? undefined : state !== 'absent',
      taintBefore: this.#taintBefore,
      taintAfter,
      kernelLog: begun ? [...(await host.kernelLog(kmod, this.#begunAtBootMs))] : [],
      reloadPaths: [...reloadPaths],
      startedAtMs: begun ? this.#startedAtMs : 0,
      // 0: the host did not know the server's time.
      finishedAtMs: Math.round(serverClock.now()?.ms ?? 0),
      confirm: this.#confirm,
      undo: begun ? await this.#undo(verdict) : [],
      healthBefore: begun ? this.#before?.health : undefined,
    };
    const written = await book.putResult(result, this.digest, expiresAtMs);
    // Until the end is on disk the window's own file is all that tells what became of it; and what is stuck may yet have to be put back.
    const isLast = written && !isResolvable(ending.outcome);
    if (this.#windowOpen && isLast) await this.#ports.windows?.close(this.request.actionId);
    this.#result = result;
    return result;
  }

  /** From what is seen now: also after a step that failed, a revert, or a crash. */
  async #undo(verdict: Verdict | undefined): Promise<UndoStep[]> {
    if (this.#before === undefined || verdict === undefined) return [];
    try {
      const now = await this.#ports.host.record(this.#before.kmods.map((kmod) => kmod.name));
      return undoOf(verdict.plan, this.#before, now);
    } catch (error) {
      this.#ports.log.warn({ actionId: this.request.actionId, err: error }, 'what changed could not be read');
      return [];
    }
  }

  /** Those of the verdict are seconds old; after a crash they may be of another time. */
  async #reloadPaths(verdict: Verdict | undefined): Promise<readonly ReloadPath[]> {
    const { verb, kmod } = this.request;
    return this.#steps.length > 0 && verb === Verb.VERB_UNLOAD && verdict !== undefined
      ? verdict.reloadPaths
      : this.#ports.host.reloadPaths(kmod);
  }

  #tell(phase: ActionPhase, verdict?: Verdict): void {
    const { actionId } = this.request;
    this.#ports.tell(verdict === undefined ? { actionId, phase } : { actionId, phase, verdict });
  }
}

const NO_WINDOW = 'this agent gives no confirm windows; nothing was touched';

/** Out-of-tree (4096) and unsigned (8192) are what such a kmod says of itself at its load; every other bit is a warning or worse. */
const EXPECTED_TAINT = 4096 | 8192;

function taintWords(before: number | undefined, after: number | undefined): string {
  if (before === undefined || after === undefined || (after & ~before & ~EXPECTED_TAINT) === 0) return '';
  return `; the kernel's taint rose from ${before} to ${after}`;
}

function successMessage(request: ActionRequest, reloadPaths: readonly ReloadPath[]): string {
  const { kmod, verb } = request;
  if (!isKnownVerb(verb)) return 'done';
  switch (verb) {
    case Verb.VERB_LOAD:
      return `${kmod} is loaded`;
    case Verb.VERB_UNLOAD:
      return `${kmod} is unloaded${wayBackWords(reloadPaths)}`;
    case Verb.VERB_RELOAD:
      return `${kmod} was unloaded and is loaded again`;
    case Verb.VERB_ENSURE_LOADED:
      return `${kmod} is loaded, and is loaded at boot`;
    case Verb.VERB_ENSURE_UNLOADED:
      return `${kmod} is unloaded, and no file of modfleet loads it at boot${wayBackWords(reloadPaths)}`;
    case Verb.VERB_SET_PARAMETERS:
      return `${kmod} has ${request.parameters.join(' ')}`;
    case Verb.VERB_RESTORE:
      return `put back: ${request.undo.map((step) => `${step.kind} ${step.kmod}`).join(', ')}`;
    default:
      return assertNever(verb);
  }
}

function wayBackWords(reloadPaths: readonly ReloadPath[]): string {
  const { seen, unknown } = splitPaths(reloadPaths);
  if (seen.length > 0) return ', and can return';
  return unknown.length > 0 ? '; whether it can return is not known' : '';
}
