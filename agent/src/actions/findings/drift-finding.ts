import { type ActionRequest, findingLayer, sameDigest, type Verdict } from '@modfleet/proto';
import { evidence } from './facts.ts';

/**
 * The verdict of an action that was approved for certain plans, refused where this host would do something else now: other steps, other side effects,
 * another risk. Whatever refuses it anyway stays the reason; and what is so already cannot drift. Pure.
 */
export function withDrift(request: Pick<ActionRequest, 'approvedPlans'>, verdict: Verdict): Verdict {
  const { approvedPlans } = request;
  if (approvedPlans.length === 0 || !verdict.allowed || verdict.plan.length === 0) return verdict;
  if (approvedPlans.some((digest) => sameDigest(digest, verdict.digest))) return verdict;
  const code = 'drifted';
  const finding = {
    layer: findingLayer(code),
    code,
    refuses: true,
    message: 'what this host would do now is not what was approved: its steps, side effects or risk are other ones',
    evidence: verdict.plan.map(({ kind, kmod, parameters }) => evidence('step', [kind, kmod, ...parameters].join(' '))),
  };
  return { ...verdict, allowed: false, decidedBy: code, findings: [finding, ...verdict.findings], plan: [] };
}
