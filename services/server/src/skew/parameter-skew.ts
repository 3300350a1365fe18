import type { HostRef, KmodSkew } from '../api-types.ts';

const VALUES_SHOWN = 10;
const EXAMPLES = 3;

type Differing = NonNullable<KmodSkew['parameters']>['differing'];

/** Gathers the parameters of one kmod from host after host, and says which differ. */
export class ParameterSkew {
  readonly #values = new Map<string, Map<string | null, { hosts: number; examples: HostRef[] }>>();
  #compared = 0;

  /** @param parameters value by name; null: the host cannot read it. */
  add(host: HostRef, parameters: Readonly<Record<string, string | null>>): void {
    this.#compared += 1;
    for (const [name, value] of Object.entries(parameters)) {
      const values = this.#values.get(name) ?? new Map<string | null, { hosts: number; examples: HostRef[] }>();
      this.#values.set(name, values);
      const seen = values.get(value) ?? { hosts: 0, examples: [] };
      values.set(value, seen);
      seen.hosts += 1;
      if (seen.examples.length < EXAMPLES) seen.examples.push(host);
    }
  }

  get compared(): number {
    return this.#compared;
  }

  /** By name; the most frequent value first. A value that could not be read is not another value: alone beside one it is no difference. */
  differing(): Differing {
    return [...this.#values]
      .filter(([, values]) => [...values.keys()].filter((value) => value !== null).length > 1)
      .map(([parameter, values]) => ({
        parameter,
        valueCount: values.size,
        values: [...values]
          .map(([value, { hosts, examples }]) => ({ value, hosts, examples }))
          .sort((one, other) => other.hosts - one.hosts || ((one.value ?? '') < (other.value ?? '') ? -1 : 1))
          .slice(0, VALUES_SHOWN),
      }))
      .sort((one, other) => (one.parameter < other.parameter ? -1 : 1));
  }
}
