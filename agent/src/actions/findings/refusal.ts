import { type FindingCode, findingLayer, planDigest, type Verdict } from '@modfleet/proto';

/** A verdict that rests on nothing but the question itself. */
export function refusalVerdict(code: FindingCode, message: string): Verdict {
  return {
    allowed: false,
    decidedBy: code,
    findings: [{ layer: findingLayer(code), code, refuses: true, message, evidence: [] }],
    plan: [],
    reloadPaths: [],
    digest: Buffer.from(planDigest({ plan: [], findings: [] })),
  };
}
