import { Facet, type KmodParameter, type KmodParameters } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { readSysParameters, type SysParameter } from '../kmod/sys-module.ts';
import { mapLimited, READ_WIDTH, type Observation } from './observation.ts';

/** Parameters that show a running count, not a setting; their value would change the digest at every look. */
export const VOLATILE_PARAMETERS: ReadonlySet<string> = new Set([
  'dm_bufio.allocated_get_free_pages_bytes',
  'dm_bufio.allocated_kmem_cache_bytes',
  'dm_bufio.allocated_vmalloc_bytes',
  'dm_bufio.current_allocated_bytes',
  'dm_bufio.peak_allocated_bytes',
]);

/** Observes the facet `parameters`, kmod by kmod. */
export class ParametersObserver {
  readonly #files: HostFiles;
  #known = new Map<string, KmodParameters>();

  constructor(files: HostFiles) {
    this.#files = files;
  }

  /** Reads the parameters of `names` again and keeps those of `loaded` that were read before; reads all when `names` is undefined. */
  async look(loaded: readonly string[], names?: readonly string[]): Promise<Observation<Facet.FACET_PARAMETERS>> {
    const again = names === undefined ? undefined : new Set(names);
    const looked = await mapLimited(loaded, READ_WIDTH, async (name) => {
      const before = this.#known.get(name);
      return before !== undefined && again !== undefined && !again.has(name) ? before : this.#read(name);
    });
    this.#known = new Map(looked.map((entry) => [entry.name, entry]));
    const kmods = looked.filter((entry) => entry.parameters.length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
    return { kind: 'value', value: { kmods } };
  }

  async #read(name: string): Promise<KmodParameters> {
    const read = await readSysParameters(this.#files, name);
    if (read.kind === 'ok')
      return { name, parameters: read.value.map((parameter) => toKmodParameter(name, parameter)) };
    // The folder itself cannot be read: one entry says so, instead of a kmod that seems to have no parameters.
    const reason = read.kind === 'not_found' ? 'gone while reading' : `cannot be listed (${read.errno})`;
    return { name, parameters: [{ name: '*', unreadableReason: reason }] };
  }
}

function toKmodParameter(kmod: string, parameter: SysParameter): KmodParameter {
  if (VOLATILE_PARAMETERS.has(`${kmod}.${parameter.name}`))
    return { name: parameter.name, unreadableReason: 'changes all the time: read it on the host' };
  return parameter.kind === 'value'
    ? { name: parameter.name, value: parameter.value, unreadableReason: '' }
    : { name: parameter.name, unreadableReason: parameter.reason };
}
