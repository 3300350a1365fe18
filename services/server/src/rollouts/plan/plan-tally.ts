import { compareText, type OverrideWord } from '@modfleet/proto';
import type { StoredVerdict } from '../../actions/action.model.ts';
import type { Judged, PlanClass, PlanGroups, PlanRefusal, PlanUnknown } from './plan.model.ts';
import { classDigest, evidenceOf, isRetried, setAside } from './plan.rules.ts';

/** Names shown of a class, of a refusal, of what is unknown. */
const SAMPLE = 5;

interface HostName {
  readonly id: string;
  readonly name: string;
}

interface Group {
  hosts: number;
  readonly sample: HostName[];
}

/** Puts the hosts of a plan together as they are added: by name, so that the first of each group is the first by name. */
export class PlanTally {
  readonly #overrides: readonly OverrideWord[];
  readonly #classes = new Map<string, Group & Omit<PlanClass, 'class' | keyof Group>>();
  readonly #refusals = new Map<string, Group & Omit<PlanRefusal, keyof Group>>();
  readonly #unknowns = new Map<string, Group & Omit<PlanUnknown, keyof Group>>();

  constructor(overrides: readonly OverrideWord[]) {
    this.#overrides = overrides;
  }

  /** @returns digest of the host's class; null: it has none. */
  add(host: HostName, judged: Judged, verdict: StoredVerdict | null): string | null {
    const { standing, code, message } = judged;
    switch (standing) {
      case 'would_change':
      case 'unchanged': {
        const overrides = setAside(verdict, this.#overrides);
        const digest = classDigest(verdict, overrides);
        count(this.#classes, keyOf(standing, digest), host, () => ({
          standing,
          digest,
          steps: verdict?.plan ?? [],
          overrides,
          reloadPaths: verdict?.reloadPaths ?? [],
        }));
        return digest;
      }
      case 'refused': {
        const evidence = evidenceOf(verdict, judged);
        count(this.#refusals, code, host, () => ({ code, message, evidence, retried: isRetried(code) }));
        return null;
      }
      case 'unknown':
        count(this.#unknowns, code, host, () => ({ code, message }));
        return null;
    }
  }

  /** What would change comes first, then the most hosts. */
  groups(): PlanGroups {
    const classes = [...this.#classes.values()].sort(
      (one, other) =>
        Number(one.standing === 'unchanged') - Number(other.standing === 'unchanged') ||
        other.hosts - one.hosts ||
        compareText(one.digest, other.digest),
    );
    return {
      classes: classes.map((group, number) => ({ class: number, ...group })),
      refusals: byCount(this.#refusals),
      unknowns: byCount(this.#unknowns),
    };
  }
}

/** Number of a host's class in {@link PlanGroups}, by its standing and the digest of its class. */
export function classNumbers(classes: readonly PlanClass[]): (judged: Judged, digest: string | null) => number | null {
  const numbers = new Map(classes.map((one) => [keyOf(one.standing, one.digest), one.class]));
  return ({ standing }, digest) => (digest === null ? null : (numbers.get(keyOf(standing, digest)) ?? null));
}

function keyOf(standing: string, digest: string): string {
  return `${standing} ${digest}`;
}

function count<T extends object>(
  groups: Map<string, Group & T>,
  key: string,
  { id, name }: HostName,
  first: () => T,
): void {
  const group = groups.get(key) ?? { ...first(), hosts: 0, sample: [] };
  group.hosts += 1;
  if (group.sample.length < SAMPLE) group.sample.push({ id, name });
  groups.set(key, group);
}

function byCount<T extends Group & { readonly code: string }>(groups: ReadonlyMap<string, T>): T[] {
  return [...groups.values()].sort((one, other) => other.hosts - one.hosts || compareText(one.code, other.code));
}
