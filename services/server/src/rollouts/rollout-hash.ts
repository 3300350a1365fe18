import { createHash } from 'node:crypto';
import type { OverrideWord, VerbWord } from '@modfleet/proto';
import type { RolloutOptions } from './engine/rollout.model.ts';

/** What is done on each host: of the plan. */
export interface RolloutCommand {
  readonly verb: VerbWord;
  readonly kmod: string;
  /** name=value, sorted by name. */
  readonly parameters: readonly string[];
  /** Seconds; 0: none. */
  readonly confirmWindowSeconds: number;
  readonly overrides: readonly OverrideWord[];
  /** Digests of the approved plans, hex, by the number of their class. */
  readonly digests: readonly string[];
  /** All kmods that the steps of these plans touch, and the kmod itself; sorted. */
  readonly kmods: readonly string[];
}

/** All that follows from a rollout for its hosts. */
export interface RolloutContent {
  readonly command: RolloutCommand;
  readonly parent: string | null;
  readonly options: RolloutOptions;
  /** Every host with its place, in the order of the rollout. */
  readonly targets: readonly { readonly hostId: string; readonly wave: number; readonly planClass: number | null }[];
}

/**
 * SHA-256 of what a rollout does, how, and to whom: what an approval says yes to, and what the seals of its rows are over. Computed from the rows again before
 * anything is signed: commands of a rollout are signed when their turn comes, and what stands in the database by then must be what was asked for.
 */
export function rolloutHash({ command, parent, options, targets }: RolloutContent): Buffer {
  const hash = createHash('sha256').update('modfleet-rollout-v1\0');
  hash.update(JSON.stringify([canonical(command), parent, canonical(options)]));
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
