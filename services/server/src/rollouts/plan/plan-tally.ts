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

/** The class that a host was put into. */
export interface ClassMark {
  readonly digest: string;
  readonly key: string;
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

  /** @returns null: it is in no class. */
  add(host: HostName, judged: Judged, verdict: StoredVerdict | null): ClassMark | null {
    const { standing, code, message } = judged;
    switch (standing) {
      case 'would_change':
      case 'unchanged': {
        const overrides = setAside(verdict, this.#overrides);
        const [digest, steps] = [classDigest(verdict), verdict?.plan ?? []];
        const key = keyOf(standing, digest, steps);
        count(this.#classes, key, host, () => ({
          standing,
          digest,
          steps,
          overrides,
          reloadPaths: verdict?.reloadPaths ?? [],
        }));
        return { digest, key };
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

  /** What would change comes first, then the most hosts. `numberOf`: of a class that {@link add} told. */
  groups(): PlanGroups & { readonly numberOf: (mark: ClassMark | null) => number | null } {
    const sorted = [...this.#classes].sort(
      ([, one], [, other]) =>
        Number(one.standing === 'unchanged') - Number(other.standing === 'unchanged') ||
        other.hosts - one.hosts ||
        compareText(one.digest, other.digest),
    );
    const numbers = new Map(sorted.map(([key], number) => [key, number]));
    return {
      classes: sorted.map(([, group], number) => ({ class: number, ...group })),
      refusals: byCount(this.#refusals),
      unknowns: byCount(this.#unknowns),
      numberOf: (mark) => (mark === null ? null : (numbers.get(mark.key) ?? null)),
    };
  }
}

/** A digest is what a host says. One that says the digest of others and shows other steps is in a class of its own, so that its steps never stand for theirs. */
function keyOf(standing: string, digest: string, steps: StoredVerdict['plan']): string {
  return JSON.stringify([standing, digest, steps.map(({ kind, kmod, parameters }) => [kind, kmod, parameters])]);
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
