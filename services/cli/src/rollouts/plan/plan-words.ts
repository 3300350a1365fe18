import type { HostRef, RolloutPlan } from '@modfleet/server/api-types';
import { count, list, sentence, shellWord } from '../../output/words.ts';
import { task, typedVerb } from '../verbs.ts';

/** Any plan or rollout says which hosts it is about in the same way: selector null: named; "": all. */
export function hostsText(selector: string | null): string {
  if (selector === null) return 'named one by one';
  return selector === '' ? 'all' : selector;
}

/** "web-1, web-2 and 26 more", of so many hosts of which some are named. */
export function sampleText(sample: readonly HostRef[], hosts: number): string {
  const shown = sample.slice(0, SHOWN).map((host) => host.name);
  if (hosts > shown.length) return shown.length === 0 ? '' : `${shown.join(', ')} and ${hosts - shown.length} more`;
  return list(shown);
}

const SHOWN = 3;

/** The plan in one sentence. INVARIANT: the parts add up to the total; who has not answered is no part of the others. */
export function planHeadline(plan: Pick<RolloutPlan, 'verb' | 'kmod' | 'counts'>): string {
  const { counts } = plan;
  if (counts.total === 0) return `No host is meant: ${task(plan)}.`;
  const parts = [
    ...part(counts.wouldChange, 'would change'),
    ...part(counts.unchanged, counts.unchanged === 1 ? 'is already so' : 'are already so'),
    ...part(counts.refused, counts.refused === 1 ? 'refuses' : 'refuse'),
    ...part(counts.unknown, 'cannot say'),
    ...part(counts.asked, counts.asked === 1 ? 'has not answered yet' : 'have not answered yet'),
  ];
  return `${sentence(task(plan))} on ${count(counts.total, 'host')}: ${list(parts)}.`;
}

function part(n: number, words: string): string[] {
  return n === 0 ? [] : [`${n} ${words}`];
}

/** kmods that the steps of a class touch besides the one that was asked for, in their order. */
export function alongWith(steps: readonly { readonly kmod: string }[], kmod: string): string[] {
  return [...new Set(steps.map((step) => step.kmod))].filter((name) => name !== kmod);
}

/** The command that asks the same of the same hosts; those that were named are to be named again. */
export function typedPlan(plan: RolloutPlan): string {
  const { selector, confirmWindow } = plan;
  return [
    `modfleet rollouts plan ${typedVerb(plan.verb)} ${plan.kmod}`,
    selector === null ? '--host HOST' : selector === '' ? '--all' : `-l ${shellWord(selector)}`,
    ...Object.entries(plan.parameters).map(([key, value]) => `--param ${shellWord(`${key}=${value}`)}`),
    ...(confirmWindow === null ? [] : [`--confirm-window ${confirmWindow}`]),
    ...plan.overrides.map((word) => `--override ${word}`),
    ...(plan.reason === null ? [] : [`--reason ${shellWord(plan.reason)}`]),
  ].join(' ');
}
