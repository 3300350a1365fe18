import type { z } from 'zod';
import type { hostHealthSchema } from '../../actions/actions.schema.ts';
import type { HealthProblem } from './rollout.model.ts';

export type HostHealth = z.output<typeof hostHealthSchema>;

/** What a look at a host found, beside what was known before its action. */
export interface Looked {
  readonly before: HostHealth | null;
  readonly now: HostHealth | null;
  /** Null: the host could not say. */
  readonly presence: 'loaded' | 'builtin' | 'on_disk' | 'absent' | null;
  /** Of the kmod; one that is built in counts as loaded. */
  readonly wants: 'loaded' | 'unloaded';
}

/** tainted-kernels.rst: bit 7 an oops, bit 9 a warning. */
const TAINT_WORDS: ReadonlyMap<number, string> = new Map([
  [7, 'the kernel has oopsed'],
  [9, 'the kernel has warned'],
  [14, 'a soft lockup'],
  [12, 'an out-of-tree kmod was loaded'],
  [13, 'an unsigned kmod was loaded'],
]);

/** Why a host is not as healthy as it was before its action; empty: it is, as far as can be seen. Pure. */
export function healthProblems({ before, now, presence, wants }: Looked): HealthProblem[] {
  return [...presenceProblems(presence, wants), ...(before === null || now === null ? [] : changes(before, now))];
}

function presenceProblems(presence: Looked['presence'], wants: Looked['wants']): HealthProblem[] {
  if (wants === 'unloaded' && presence === 'loaded')
    return [{ what: 'loaded_again', detail: 'it is loaded again, and no action of this rollout did that' }];
  if (wants === 'loaded' && presence !== null && presence !== 'loaded' && presence !== 'builtin')
    return [{ what: 'unloaded_again', detail: 'it is not loaded any more, and no action of this rollout did that' }];
  return [];
}

function changes(before: HostHealth, now: HostHealth): HealthProblem[] {
  // Counters begin anew with a boot, and what was mounted by hand is gone: nothing else can be compared.
  if (before.bootId !== now.bootId) return [{ what: 'restarted', detail: 'the host was started again since' }];
  return [
    ...newTaints(before.taint, now.taint),
    ...risen('oops', before.oopsCount, now.oopsCount),
    ...risen('warning', before.warnCount, now.warnCount),
    ...lost('link', before.links.filter(isUp).map(nameOf), now.links.filter(isUp).map(nameOf), 'is not up any more'),
    ...lost('mount', before.mounts, now.mounts, 'is not mounted any more'),
  ];
}

function newTaints(before: number, now: number): HealthProblem[] {
  const added = BigInt(now) & ~BigInt(before);
  if (added === 0n) return [];
  const bits = Array.from({ length: 64 }, (_, bit) => bit).filter((bit) => (added >> BigInt(bit)) & 1n);
  const words = bits.map((bit) => TAINT_WORDS.get(bit) ?? `taint bit ${bit}`);
  return [{ what: 'taint', detail: `the kernel's taint went from ${before} to ${now}: ${words.join(', ')}` }];
}

function risen(what: 'oops' | 'warning', before: number | null, now: number | null): HealthProblem[] {
  if (before === null || now === null || now <= before) return [];
  return [{ what, detail: `${now - before} more since the action (${before} before, ${now} now)` }];
}

function lost(what: string, before: readonly string[], now: readonly string[], words: string): HealthProblem[] {
  return before.filter((one) => !now.includes(one)).map((one) => ({ what, detail: `${one} ${words}` }));
}

/** operstate of RFC 2863; a loopback interface says unknown. */
function isUp(link: string): boolean {
  return link.endsWith(' up');
}

function nameOf(link: string): string {
  return link.slice(0, link.indexOf(' '));
}
