import {
  compareFindings,
  type Finding,
  findingLayer,
  planDigest,
  type ReloadPath,
  type Verdict,
} from '@modfleet/proto';
import type { ActionFacts, ActionPolicy, Question, RawFinding } from './facts.ts';
import { kernelFindings } from './kernel-findings.ts';
import { planOf } from './plan.ts';
import { policyFindings } from './policy-findings.ts';
import { wayBackFindings } from './way-back-findings.ts';

/**
 * What the host says of an action. Pure: the same facts give the same verdict.
 *
 * All findings are kept; those that refuse come first, then by the order of proto/src/findings.ts; the first one decides. `already` without a
 * refusal before it in that order means unchanged: allowed, with an empty plan. A dry run on a host that only observes, or whose agent may not change
 * kmods, is not allowed either; its findings and plan say what else stands against it: for that it was asked.
 */
export function decide(
  question: Question,
  facts: ActionFacts,
  policy: ActionPolicy,
  reloadPaths: readonly ReloadPath[],
): Verdict {
  const raw = [
    ...kernelFindings(question, facts),
    ...policyFindings(question, facts, policy),
    ...wayBackFindings(question, facts),
  ];
  const ordered = [...raw].sort((a, b) => compareFindings(a.code, b.code));
  const already = ordered.find((finding) => finding.code === 'already');
  const refusal = ordered.find((finding) => finding.refuses);
  const setUp = ordered.find((finding) => !finding.refuses && isSetUp(finding.code));
  if (setUp !== undefined && refusal === undefined) {
    const plan = already === undefined ? planOf(question, facts) : [];
    return verdict(false, setUp.code, setUp, ordered, plan, already === undefined ? reloadPaths : []);
  }
  if (already !== undefined && (refusal === undefined || compareFindings(already.code, refusal.code) < 0)) {
    return verdict(true, 'unchanged', already, ordered, [], []);
  }
  if (refusal !== undefined) return verdict(false, refusal.code, refusal, ordered, [], reloadPaths);
  return verdict(true, 'ok', undefined, ordered, planOf(question, facts), reloadPaths);
}

/** What the host's own settings and rights say, and not the kmod. */
function isSetUp(code: RawFinding['code']): boolean {
  return code === 'denied_by_host_policy' || code === 'unsupported';
}

function verdict(
  allowed: boolean,
  decidedBy: string,
  deciding: RawFinding | undefined,
  findings: readonly RawFinding[],
  plan: Verdict['plan'],
  reloadPaths: readonly ReloadPath[],
): Verdict {
  const rest = findings.filter((finding) => finding !== deciding);
  const refusing = rest.filter((finding) => finding.refuses);
  const others = rest.filter((finding) => !finding.refuses);
  const said = [...(deciding === undefined ? [] : [deciding]), ...refusing, ...others].map(toProto);
  return {
    allowed,
    decidedBy,
    findings: said,
    plan,
    reloadPaths: [...reloadPaths],
    digest: Buffer.from(planDigest({ plan, findings: said })),
  };
}

function toProto(finding: RawFinding): Finding {
  return {
    layer: findingLayer(finding.code),
    code: finding.code,
    refuses: finding.refuses,
    message: finding.message,
    evidence: [...finding.evidence],
  };
}
