import { Outcome } from '@modfleet/proto';
import type { ActionRequest, ActionResult } from '@modfleet/proto';
import type { ActionEngine, ActionProgressReport } from '../../actions/action-engine.ts';

/** An engine that does nothing by itself: tests say what it reports. */
export class FakeEngine implements ActionEngine {
  readonly submitted: ActionRequest[] = [];
  readonly cancelled: string[] = [];
  readonly acknowledged: string[] = [];
  readonly results: ActionResult[] = [];
  #onProgress: (report: ActionProgressReport) => void = () => undefined;
  #onResult: (result: ActionResult) => void = () => undefined;

  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }
  submit(request: ActionRequest): void {
    this.submitted.push(request);
  }
  cancel(actionId: string): void {
    this.cancelled.push(actionId);
  }
  acknowledge(actionIds: readonly string[]): Promise<void> {
    this.acknowledged.push(...actionIds);
    return Promise.resolve();
  }
  unacknowledged(): readonly ActionResult[] {
    return this.results.filter((result) => !this.acknowledged.includes(result.actionId));
  }
  openActions(): readonly string[] {
    return this.submitted.map((request) => request.actionId);
  }
  tombstonesDigest(): Uint8Array {
    return new Uint8Array(32);
  }
  onProgress(listener: (report: ActionProgressReport) => void): void {
    this.#onProgress = listener;
  }
  onResult(listener: (result: ActionResult) => void): void {
    this.#onResult = listener;
  }
  attributionOf(_kmod: string): string | undefined {
    return undefined;
  }

  /** Says that an action stands at a phase. */
  progress(report: ActionProgressReport): void {
    this.#onProgress(report);
  }

  /** Ends an action, and keeps the result until it is acknowledged. */
  end(actionId: string, outcome: Outcome = Outcome.OUTCOME_SUCCEEDED, message = ''): void {
    const result = fakeResult(actionId, outcome, message);
    this.results.push(result);
    this.#onResult(result);
  }
}

/** A result with nothing in it but its end. */
export function fakeResult(actionId: string, outcome: Outcome, message = ''): ActionResult {
  return {
    actionId,
    requestDigest: Buffer.alloc(32),
    outcome,
    dryRun: false,
    verdict: undefined,
    steps: [],
    message,
    reasonCode: '',
    kernelLog: [],
    reloadPaths: [],
    startedAtMs: 0,
    finishedAtMs: 0,
    confirm: undefined,
    undo: [],
    healthBefore: undefined,
  };
}
