import { createHash } from 'node:crypto';
import { FindingLayer, type OutcomeWord, type OverrideWord, planDigest } from '@modfleet/proto';
import type { StoredVerdict } from '../../actions/action.model.ts';
import { canonicalJson } from '../../idempotency/body-digest.ts';
import type { DryRunEnd, Judged, PlanHost, PlanQuestion, Standing } from './plan.model.ts';

/*
 * What answers mean. Pure.
 *
 * INVARIANTS
 * - Only a host's own verdict says that something would be done, is so already, or would be refused. All else is unknown.
 * - A host that may be read and not acted on is refused, and never left out without a word.
 */

/** Outcomes of a dry run that say something; after any other one nobody can say. plan.queries.ts counts by this same table. */
export const STANDING_BY_OUTCOME = {
  succeeded: 'would_change',
  unchanged: 'unchanged',
  refused: 'refused',
} as const satisfies Partial<Record<OutcomeWord, Standing>>;

/** Refusals that pass by themselves: a rollout tries again until its deadline. */
const RETRIED: ReadonlySet<string> = new Set(['in_use', 'busy']);

export function isRetried(code: string): boolean {
  return RETRIED.has(code);
}

const ANSWERS_DEFAULT_S = 30;
/** A server sends to some hundreds of hosts a second, and not to all at once: those that come last are to have their time, too. */
const HOSTS_A_SECOND = 100;

/** How long hosts are waited for where nobody says, in seconds. A plan that all have answered is ready before. */
export function answerSeconds(hosts: number): number {
  return Math.max(ANSWERS_DEFAULT_S, Math.ceil(hosts / HOSTS_A_SECOND));
}

/** What a dry run's end means. `undefined`: it had not ended when the time for answers was over. */
export function judge(end: DryRunEnd | undefined, answersUntil: Date): Judged {
  if (end === undefined || end.outcome === 'expired') return unknown('no_answer', noAnswer(answersUntil));
  const standing = Object.hasOwn(STANDING_BY_OUTCOME, end.outcome)
    ? STANDING_BY_OUTCOME[end.outcome as keyof typeof STANDING_BY_OUTCOME]
    : undefined;
  const { verdict } = end;
  switch (standing) {
    case 'would_change':
      // What it would do is not known, so it is in no class that somebody could approve.
      if (verdict === null) return unknown('no_verdict', 'The host says that it would be done, and not what.');
      return { standing, code: '', message: end.message };
    case 'unchanged':
      return { standing, code: verdict?.findings[0]?.code ?? '', message: decidingMessage(verdict) ?? end.message };
    case 'refused':
      return {
        standing,
        code: (verdict?.decidedBy ?? '') || end.reasonCode || 'refused',
        message: decidingMessage(verdict) ?? end.message,
      };
    case undefined:
      return unknown(end.outcome, end.message || `The dry run ended as ${end.outcome}.`);
  }
}

/** What is known of a host without asking it; undefined: it is to be asked. @param mayAct whether the caller may act on it. */
export function judgeUnasked(host: PlanHost, mayAct: boolean): Judged | undefined {
  if (!mayAct) return refused('forbidden', 'Whoever asked may read this host and not act on it.');
  if (host.revoked) return refused('host_revoked', 'It was revoked: nothing is sent to it.');
  if (host.quarantineReason !== null) return quarantined(host.quarantineReason);
  if (host.live) return undefined;
  const seen = host.seenAt === null ? 'It never connected.' : `Not connected; last seen ${clock(host.seenAt)}.`;
  return unknown('silent', seen);
}

export function quarantined(reason: string): Judged {
  const why = reason === '' ? '' : ` (${reason})`;
  return refused('host_quarantined', `It is quarantined${why}: it may report, and nothing is sent to it.`);
}

/** The evidence behind a standing. */
export function evidenceOf(verdict: StoredVerdict | null, judged: Pick<Judged, 'standing' | 'code'> | null) {
  if (judged === null || judged.standing === 'would_change' || judged.standing === 'unknown') return [];
  return verdict?.findings.find((finding) => finding.code === judged.code)?.evidence ?? [];
}

/** Of the protections that the asker would set aside those that stand in this host's way. */
export function setAside(verdict: StoredVerdict | null, overrides: readonly OverrideWord[]): OverrideWord[] {
  const isSet = verdict?.findings.some((finding) => finding.code === 'protected' && !finding.refuses) === true;
  return isSet ? [...overrides] : [];
}

/** Hex; what a host compares its own plan with later. As it tells it; of an older agent, which tells none, made here of what it says that it would do. */
export function classDigest(verdict: StoredVerdict | null): string {
  if (verdict?.digest) return verdict.digest;
  const { plan = [], findings = [] } = verdict ?? {};
  const layer = FindingLayer.FINDING_LAYER_UNSPECIFIED;
  const digest = planDigest({ plan, findings: findings.map((finding) => ({ ...finding, layer })) });
  return Buffer.from(digest).toString('hex');
}

/** Keeps this digest apart from every other use of SHA-256 here. */
const HASH_DOMAIN = 'modfleet-rollout-plan-v1\0';

/** A target as far as an approval is bound to it. @param digest of its class; null: it has none. */
export interface HashedTarget {
  readonly hostId: string;
  readonly standing: Standing;
  readonly digest: string | null;
}

/** SHA-256 of what would be done and where. Does not depend on the order of targets. */
export function planHash(question: PlanQuestion, targets: readonly HashedTarget[]): Buffer {
  const { verb, kmod, parameters, confirmWindowSeconds, overrides, selector } = question;
  const rows = targets.map(({ hostId, standing, digest }) => [hostId, standing, digest]);
  rows.sort(([one], [other]) => ((one ?? '') < (other ?? '') ? -1 : 1));
  const what = {
    verb,
    kmod,
    parameters,
    confirmWindowSeconds,
    overrides: [...overrides].sort(),
    selector,
    targets: rows,
  };
  return createHash('sha256').update(HASH_DOMAIN).update(canonicalJson(what)).digest();
}

/** Kinds that systemd-detect-virt(1) calls virtual machines. */
const MACHINES: ReadonlySet<string> = new Set([
  'acrn',
  'amazon',
  'apple',
  'bhyve',
  'bochs',
  'google',
  'kvm',
  'microsoft',
  'oracle',
  'parallels',
  'powervm',
  'qemu',
  'qnx',
  'sre',
  'uml',
  'vmware',
  'xen',
  'zvm',
]);

/** What kind of machine, as far as its facts say; empty: they do not. */
export function hardwareOf(virtualization: string): string {
  if (virtualization === '') return '';
  return `${MACHINES.has(virtualization) ? 'vm' : 'container'} ${virtualization}`;
}

function unknown(code: string, message: string): Judged {
  return { standing: 'unknown', code, message };
}

function refused(code: string, message: string): Judged {
  return { standing: 'refused', code, message };
}

function noAnswer(answersUntil: Date): string {
  return `No answer by ${clock(answersUntil)}.`;
}

function decidingMessage(verdict: StoredVerdict | null): string | undefined {
  return verdict?.findings[0]?.message || undefined;
}

/** Time of day and date in UTC, to the second. */
function clock(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
