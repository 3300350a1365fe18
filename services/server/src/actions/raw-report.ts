import { ActionResult, ConfirmEnd, FindingLayer, Outcome, type Verdict } from '@modfleet/proto';

/**
 * What a host said of an action, as JSON to be kept. Words of a newer contract, which are numbers here, become "unspecified", and the outcome's number is
 * kept beside: the generated `toJSON` throws on them, and a report that cannot be kept is never acknowledged.
 */
export function rawReport(result: ActionResult): unknown {
  const outcome = known(Outcome, result.outcome);
  const raw = ActionResult.toJSON({
    ...result,
    outcome,
    verdict: result.verdict === undefined ? undefined : withKnownLayers(result.verdict),
    confirm:
      result.confirm === undefined ? undefined : { ...result.confirm, end: known(ConfirmEnd, result.confirm.end) },
  });
  return outcome === result.outcome ? raw : { ...(raw as object), unknownOutcome: result.outcome };
}

function withKnownLayers(verdict: Verdict): Verdict {
  return {
    ...verdict,
    findings: verdict.findings.map((finding) => ({ ...finding, layer: known(FindingLayer, finding.layer) })),
  };
}

/** 0 is "unspecified" in every enum of the contract (buf's rules). */
function known<E extends number>(words: Readonly<Record<string, E>>, value: E): E {
  return Object.values(words).includes(value) ? value : (0 as E);
}

/** Postgres keeps no NUL, neither in text nor in jsonb. A host may say one all the same, and its report must not be refused for it. */
export function storable<T>(said: T): T {
  if (typeof said === 'string') return said.replaceAll('\0', '\ufffd') as T;
  if (Array.isArray(said)) return said.map(storable) as T;
  if (typeof said !== 'object' || said === null || said instanceof Uint8Array) return said;
  return Object.fromEntries(Object.entries(said).map(([key, value]) => [key, storable(value)])) as T;
}
