import { createHash } from 'node:crypto';
import type { Verdict } from '../gen/modfleet/types/v1/action.ts';
import { sortedSet } from './sorting.ts';

/** Keeps this digest apart from every other use of SHA-256 here. */
const DOMAIN = 'modfleet-plan-v1\0';

/** Findings that are a risk which somebody takes, when they do not refuse: what may be lost, and what is set aside. */
const RISKS: readonly string[] = ['needs_confirm_window', 'protected'];

/**
 * Digest of what a host would do: SHA-256 over its steps in order (kind, kmod, parameters), its side effects (the kinds of things that it may lose, and
 * `alsoTried`: kmods that load along without a step of their own) and its risk (whether a confirm window is needed, which protection is set aside).
 *
 * Words do not count, nor the names in evidence: eth0 of one host and ens3 of another are one class. A plan without steps has a digest, too: always the
 * same one. Pure.
 */
export function planDigest(
  { plan, findings }: Pick<Verdict, 'plan' | 'findings'>,
  alsoTried: readonly string[] = [],
): Uint8Array {
  const hash = createHash('sha256').update(DOMAIN);
  if (plan.length === 0) return hash.digest();
  const steps = plan.map(({ kind, kmod, parameters }) => [kind, kmod, parameters]);
  const risky = findings.filter((finding) => RISKS.includes(finding.code));
  const lost = sortedSet(risky.flatMap((finding) => finding.evidence.map((one) => one.kind)));
  const overrides = risky.some((finding) => finding.code === 'protected') ? ['route'] : [];
  const canonical = [steps, lost, sortedSet(alsoTried), risky.length > 0, overrides];
  return hash.update(JSON.stringify(canonical)).digest();
}
