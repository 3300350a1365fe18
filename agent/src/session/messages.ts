import type { ActionRequest, ActionResult, FacetStatus, HostFacts, TrustState } from '@modfleet/proto';
import { Outcome, requestDigest } from '@modfleet/proto';
import type { ActionEngine } from '../actions/action-engine.ts';
import { plainResult } from '../actions/plain-result.ts';
import type { FacetSnapshot } from '../facets/inventory.ts';
import type { ToServer } from './transport.ts';

/** Where each facet stands, ages as of `nowMs` (boot time). */
export function statusesOf(snapshots: readonly FacetSnapshot[], nowMs: number): FacetStatus[] {
  return snapshots.map(({ facet, observedAtMs, state }) => ({
    facet,
    digest: state.kind === 'value' ? Buffer.from(state.digest) : Buffer.alloc(0),
    observedAgeMs: Math.max(0, Math.round(nowMs - observedAtMs)),
    incapableReason: state.kind === 'incapable' ? state.reason : '',
  }));
}

/** First message of a session. */
export function helloOf(
  facts: HostFacts,
  snapshots: readonly FacetSnapshot[],
  engine: ActionEngine,
  nowMs: number,
  trust: TrustState,
): ToServer {
  return {
    $case: 'hello',
    value: {
      facts,
      facets: statusesOf(snapshots, nowMs),
      unacknowledgedResults: engine.unacknowledged().map((result) => result.actionId),
      openActions: [...engine.openActions()],
      tombstonesDigest: Buffer.from(engine.tombstonesDigest()),
      boottimeMs: Math.round(nowMs),
      newestCommand: engine.newestCommand?.(),
      trust,
    },
  };
}

/** The answer of a quarantined host to every request: it reports, and never acts. */
export function quarantinedResult(request: ActionRequest, serverNowMs: number): ActionResult {
  const digest = Buffer.from(requestDigest(request)).toString('hex');
  const message = 'this host is quarantined: it reports, and does not act';
  const result = plainResult(request, digest, Outcome.OUTCOME_REFUSED, 'quarantined', message);
  return { ...result, finishedAtMs: serverNowMs };
}

/** What an action may have written that no uevent tells of. */
export function writtenBy({ steps }: ActionResult): {
  readonly parametersOf: readonly string[];
  readonly lists: boolean;
} {
  const begun = steps.flatMap(({ step }) => (step === undefined ? [] : [step]));
  return {
    parametersOf: begun.filter(({ kind }) => kind === 'set_parameters').map(({ kmod }) => kmod),
    lists: begun.some(({ kind }) => kind === 'persist' || kind === 'unpersist'),
  };
}
