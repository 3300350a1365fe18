/** A finding of the agent's verdict, as far as it matters here. */
export interface FindingSeen {
  readonly code: string;
  readonly kernel: boolean;
  readonly refuses: boolean;
  readonly message: string;
  /** `kind value` of each. */
  readonly evidence: readonly string[];
}

/** What `modfleet-agent verdict --json` said of one kmod. */
export interface VerdictSeen {
  readonly kmod: string;
  readonly findings: readonly FindingSeen[];
  /** Kmods of the plan, in order; empty where anything refuses. */
  readonly plan: readonly string[];
  /** Soft dependencies that modprobe also tries; part of the plan's words. */
  readonly tries: readonly string[];
}

/** What really happened. */
export interface Attempt {
  readonly kmod: string;
  readonly exitCode: number;
  /** Of rmmod or modprobe. */
  readonly said: string;
  /** Kmods that were in /proc/modules before and not after, and the other way round. */
  readonly gone: readonly string[];
  readonly came: readonly string[];
}

/** `busy` is ours to say and the kernel's to mean (EBUSY); a name on the kernel's own command line is refused by the kernel, too. */
function isKernels(finding: FindingSeen): boolean {
  return finding.kernel || finding.code === 'busy' || (finding.code === 'blocked' && finding.message.includes('EPERM'));
}

/** Found in depmod's index and on the disk, before the kernel is asked. */
const BEFORE_THE_KERNEL: readonly string[] = ['not_found', 'release_files_missing'];

/** What the kernel layer of a verdict says of the attempt: `ok`, `already`, or the first code that refuses, in the order in which kmod(8) meets them. */
export function prediction({ findings }: VerdictSeen): string {
  const kernels = findings.filter(isKernels);
  if (kernels.some(({ code, refuses }) => code === 'already' && !refuses)) return 'already';
  const refusals = kernels.filter(({ refuses }) => refuses).map(({ code }) => code);
  const early = refusals.find((code) => BEFORE_THE_KERNEL.includes(code));
  const disabled = refusals.find((code) => code === 'modules_disabled');
  return early ?? disabled ?? refusals[0] ?? 'ok';
}

/** What rmmod says (kmod 30, libkmod errno texts), and which findings say the same. */
const UNLOAD_WORDS: readonly (readonly [words: RegExp, codes: readonly string[]])[] = [
  [/is in use by/, ['held_by']],
  [/is in use/, ['in_use']],
  [/is builtin/, ['builtin']],
  [/Device or resource busy/, ['permanent', 'busy']],
  [/Resource temporarily unavailable/, ['in_use', 'held_by']],
  [/Operation not permitted/, ['modules_disabled']],
  [/not currently loaded|No such file|not found/, ['already', 'not_found']],
];

/** What modprobe says, and which findings say the same. */
const LOAD_WORDS: readonly (readonly [words: RegExp, codes: readonly string[]])[] = [
  [/Key was rejected/, ['signature_required']],
  [/Operation not permitted/, ['modules_disabled', 'lockdown', 'blocked']],
  [/Exec format error|Invalid module format/, ['wrong_release', 'not_a_kmod']],
  [/no file: .*Unknown symbol/, ['release_files_missing']],
  [/Unknown symbol/, ['symbol_missing']],
  [/not found in directory/, ['not_found']],
  [/No such file or directory|could not open/, ['release_files_missing']],
  [/Invalid argument|Numerical result out of range/, ['parameter_invalid']],
];

/** One comparison. */
export interface Judged {
  readonly kmod: string;
  readonly predicted: string;
  readonly seen: string;
  readonly agrees: boolean;
}

/** Predicted against seen, of an unload: the code, and exactly the kmod itself is gone. */
export function judgeUnload(verdict: VerdictSeen, attempt: Attempt): Judged {
  const predicted = prediction(verdict);
  const set = attempt.gone.join('+');
  if (attempt.gone.length > 0) {
    return {
      kmod: verdict.kmod,
      predicted,
      seen: `removed ${set}`,
      agrees: predicted === 'ok' && set === verdict.kmod,
    };
  }
  return refused(verdict.kmod, predicted, attempt, UNLOAD_WORDS);
}

/** Predicted against seen, of a load: the code, and what came: the plan, and nothing that neither it nor its words name. */
export function judgeLoad(verdict: VerdictSeen, attempt: Attempt): Judged {
  const { kmod } = verdict;
  const predicted = prediction(verdict);
  if (attempt.came.includes(kmod)) {
    const named = new Set([...verdict.plan, ...verdict.tries]);
    // Where policy refuses there is no plan to compare with.
    const asPlanned =
      verdict.plan.length === 0 ||
      (verdict.plan.every((one) => attempt.came.includes(one)) && attempt.came.every((one) => named.has(one)));
    return { kmod, predicted, seen: `loaded ${attempt.came.join('+')}`, agrees: predicted === 'ok' && asPlanned };
  }
  if (attempt.exitCode === 0) {
    const seen = attempt.came.length === 0 ? 'nothing to do' : `came ${attempt.came.join('+')}`;
    return { kmod, predicted, seen, agrees: predicted === 'already' && attempt.came.length === 0 };
  }
  return refused(kmod, predicted, attempt, LOAD_WORDS);
}

function refused(
  kmod: string,
  predicted: string,
  attempt: Attempt,
  words: readonly (readonly [RegExp, readonly string[]])[],
): Judged {
  const codes = words.find(([pattern]) => pattern.test(attempt.said))?.[1];
  const said = attempt.said.trim().replace(/\s+/g, ' ').slice(0, 160);
  // rmmod ends without a word while another removes the same kmod (kernel-facts, section 3).
  const seen =
    codes === undefined ? `refused: ${said || `exit ${attempt.exitCode} without a word`}` : codes.join(' or ');
  return { kmod, predicted, seen, agrees: codes?.includes(predicted) ?? false };
}
