import {
  compareFindings,
  type Finding,
  findingLayer,
  planDigest,
  type ReloadPath,
  type Verdict,
} from '@modfleet/proto';
import { type ActionFacts, type ActionPolicy, loads, type Question, type RawFinding, type Step } from './facts.ts';
import { kernelFindings } from './kernel-findings.ts';
import { stepsOf, withWindowWords } from './plan.ts';
import { policyFindings } from './policy-findings.ts';
import { wayBackFindings } from './way-back-findings.ts';

/** One question of an action, with what was read for it. */
export interface Part {
  readonly question: Question;
  readonly facts: ActionFacts;
  /** What could bring the kmod back after an unload. */
  readonly reloadPaths: readonly ReloadPath[];
}

/** What is to be said of one question. */
interface Judgement {
  readonly kind: 'refused' | 'set_up' | 'unchanged' | 'ok';
  /** What decides; undefined for `ok`. */
  readonly deciding: RawFinding | undefined;
  /** In deciding order. */
  readonly findings: readonly RawFinding[];
  readonly steps: readonly Step[];
}

/** What the host says of an action with one question. */
export function decide(
  question: Question,
  facts: ActionFacts,
  policy: ActionPolicy,
  reloadPaths: readonly ReloadPath[],
): Verdict {
  return decideAll([{ question, facts, reloadPaths }], policy);
}

/**
 * What the host says of an action. Pure: the same facts give the same verdict.
 *
 * All findings are kept; those that refuse come first, then by the order of proto/src/findings.ts; the first one decides. An action of several
 * questions is refused as a whole where one of them is, before its first step; a question that is answered already has no step. `already` without a
 * refusal before it in that order means unchanged: allowed, with an empty plan. A dry run on a host that only observes, or whose agent may not change
 * kmods, is not allowed either; its findings and plan say what else stands against it: for that it was asked.
 */
export function decideAll(parts: readonly Part[], policy: ActionPolicy): Verdict {
  const judged = parts.map((part) => ({ ...part, ...judge(part, policy) }));
  const seconds = parts[0]?.question.confirmWindowSeconds ?? 0;
  const of = (kind: Judgement['kind']): readonly RawFinding[] =>
    judged.flatMap((one) => (one.kind === kind && one.deciding !== undefined ? [one.deciding] : []));
  const [refusal] = [...of('refused')].sort((a, b) => compareFindings(a.code, b.code));
  const [setUp] = of('set_up');
  const isUnchanged = judged.every(({ kind }) => kind === 'unchanged');
  const steps = refusal === undefined ? judged.flatMap((one) => one.steps) : [];
  const plan = withWindowWords(steps, seconds);
  const said = {
    deciding: refusal ?? setUp ?? (isUnchanged ? allAlready(of('unchanged')) : undefined),
    findings: isUnchanged || judged.length === 1 ? judged.flatMap((one) => one.findings) : judged.flatMap(unlessDone),
    replaced: isUnchanged ? of('unchanged') : [],
  };
  const findings = inOrder(said.deciding, said.findings, said.replaced).map(toProto);
  const alsoTried = judged.flatMap(({ question, facts, steps: own }) =>
    loads(question) && own.length > 0 ? facts.tree.softDependencies : [],
  );
  const paths = refusal === undefined && plan.length === 0 ? [] : judged.flatMap((one) => one.reloadPaths);
  return {
    allowed: refusal === undefined && setUp === undefined,
    decidedBy: refusal?.code ?? setUp?.code ?? (isUnchanged ? 'unchanged' : 'ok'),
    findings,
    plan,
    reloadPaths: paths,
    digest: Buffer.from(planDigest({ plan, findings }, alsoTried)),
  };
}

function judge({ question, facts }: Part, policy: ActionPolicy): Judgement {
  const raw = [
    ...kernelFindings(question, facts),
    ...policyFindings(question, facts, policy),
    ...wayBackFindings(question, facts),
  ];
  const findings = [...raw].sort((a, b) => compareFindings(a.code, b.code));
  const already = findings.find((finding) => finding.code === 'already');
  const refusal = findings.find((finding) => finding.refuses);
  const setUp = findings.find((finding) => !finding.refuses && isSetUp(finding.code));
  const steps = already === undefined ? stepsOf(question, facts) : [];
  if (setUp !== undefined && refusal === undefined) return { kind: 'set_up', deciding: setUp, findings, steps };
  if (already !== undefined && (refusal === undefined || compareFindings(already.code, refusal.code) < 0))
    return { kind: 'unchanged', deciding: already, findings, steps: [] };
  if (refusal !== undefined) return { kind: 'refused', deciding: refusal, findings, steps: [] };
  return { kind: 'ok', deciding: undefined, findings, steps };
}

/** What the host's own settings and rights say, and not the kmod. */
function isSetUp(code: RawFinding['code']): boolean {
  return code === 'denied_by_host_policy' || code === 'unsupported';
}

/** What refuses a question that is answered already refuses nothing of the others. */
function unlessDone({ kind, findings }: Judgement): readonly RawFinding[] {
  return kind === 'unchanged' ? findings.filter((finding) => !finding.refuses) : findings;
}

/** Sentences of one finding that says several things. */
const SENTENCES_MAX = 4;

/** One finding for several questions that are all answered already. */
function allAlready(notes: readonly RawFinding[]): RawFinding | undefined {
  const [first] = notes;
  if (first === undefined || notes.length === 1) return first;
  const sentences = [...new Set(notes.map((note) => note.message))];
  const more = sentences.length > SENTENCES_MAX ? [`and ${sentences.length - SENTENCES_MAX} more`] : [];
  return {
    ...first,
    message: [...sentences.slice(0, SENTENCES_MAX), ...more].join('; '),
    evidence: distinct(notes.flatMap((note) => note.evidence)),
  };
}

/** The deciding one first, then those that refuse, then the rest; each in deciding order, and said once. */
function inOrder(
  deciding: RawFinding | undefined,
  findings: readonly RawFinding[],
  replaced: readonly RawFinding[],
): RawFinding[] {
  const rest = findings.filter((finding) => finding !== deciding && !replaced.includes(finding));
  const byCode = [...rest].sort((a, b) => compareFindings(a.code, b.code));
  return distinct([
    ...(deciding === undefined ? [] : [deciding]),
    ...byCode.filter((finding) => finding.refuses),
    ...byCode.filter((finding) => !finding.refuses),
  ]);
}

function distinct<T>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
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
