import type { ActionRequest, ActionResult, Outcome } from '@modfleet/proto';

/** A result without verdict and steps: for what ends before the host is looked at. `digest` is hex. */
export function plainResult(
  request: Pick<ActionRequest, 'actionId' | 'dryRun'>,
  digest: string,
  outcome: Outcome,
  reasonCode: string,
  message: string,
): ActionResult {
  return {
    actionId: request.actionId,
    requestDigest: Buffer.from(digest, 'hex'),
    outcome,
    dryRun: request.dryRun,
    verdict: undefined,
    steps: [],
    message,
    reasonCode,
    loadedAfter: undefined,
    taintBefore: undefined,
    taintAfter: undefined,
    kernelLog: [],
    reloadPaths: [],
    startedAtMs: 0,
    finishedAtMs: 0,
    confirm: undefined,
    undo: [],
    healthBefore: undefined,
  };
}
