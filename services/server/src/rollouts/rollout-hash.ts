import { createHash } from 'node:crypto';
import type { RolloutOptions } from './engine/rollout.model.ts';

/** All that follows from a rollout for its hosts. */
export interface RolloutContent {
  readonly planHash: Buffer;
  readonly parent: string | null;
  readonly options: RolloutOptions;
  /** Every host with its place, in the order of the rollout. */
  readonly targets: readonly { readonly hostId: string; readonly wave: number; readonly planClass: number | null }[];
}

/**
 * SHA-256 of what a rollout does and to whom: what an approval says yes to, and what the seal of its row is over. The plan's own hash says what is done there; it is
 * computed again from the plan's rows before anything is signed.
 */
export function rolloutHash({ planHash, parent, options, targets }: RolloutContent): Buffer {
  const hash = createHash('sha256').update('modfleet-rollout-v1\0').update(planHash);
  hash.update(JSON.stringify([parent, canonical(options)]));
  for (const { hostId, wave, planClass } of targets) hash.update(`\n${hostId} ${wave} ${planClass ?? '-'}`);
  return hash.digest();
}

/** The same text whatever order the keys came in: jsonb gives them in one of its own. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .filter(([, one]) => one !== undefined)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, one]) => [key, canonical(one)]);
}
