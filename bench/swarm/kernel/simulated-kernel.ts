import type { OwnFiles } from './kernel-files.ts';

/** What is the same for every host of one kernel build: its kmods, with what each needs. */
export interface KernelBuild {
  readonly release: string;
  /** Kmods that may be loaded, by name. */
  readonly kmods: ReadonlyMap<string, KmodBuild>;
  /** Folders of /sys/module that are there without a loaded kmod: code that is built in. */
  readonly builtin: ReadonlySet<string>;
}

export interface KmodBuild {
  readonly name: string;
  /** Bytes, as /proc/modules says it. */
  readonly size: number;
  /** Kmods that have to be there first, nearest first. */
  readonly depends: readonly string[];
  readonly permanent: boolean;
  /** Letters; empty for none. */
  readonly taint: string;
}

interface Loaded {
  readonly build: KmodBuild;
  /** References by others than kmods. */
  held: number;
  state: 'Live' | 'Unloading';
  readonly parameters: Map<string, string>;
}

/** What became of a load or an unload; `hangs`: the routine does not return. */
export type Effect =
  { readonly kind: 'done' } | { readonly kind: 'refused'; readonly stderr: string } | { readonly kind: 'hangs' };

/** How kmods behave on this host, beyond what every kernel does. */
export interface Behaviour {
  /** Whether the init or exit routine of a kmod fails or hangs this time. */
  readonly routine: (kmod: string, of: 'init' | 'exit') => 'returns' | 'fails' | 'hangs';
}

const DONE: Effect = { kind: 'done' };

/**
 * A kernel's list of kmods, and what load and unload do to it.
 *
 * INVARIANTS
 * - A kmod is on the list with everything that it depends on, and never leaves while one that depends on it is there.
 * - Everything that comes or goes is told, after it happened, as uevents are.
 */
export class SimulatedKernel implements OwnFiles {
  readonly build: KernelBuild;
  readonly texts: Map<string, string>;
  readonly #behaviour: Behaviour;
  /** In the order of loading. */
  readonly #loaded = new Map<string, Loaded>();
  /** Of code that is built in: what was set. */
  readonly #builtinParameters = new Map<string, Map<string, string>>();
  readonly #listeners: ((action: 'add' | 'remove', kmod: string) => void)[] = [];
  #procModules: string | undefined;

  /** @param texts files of this host alone. */
  constructor(build: KernelBuild, texts: Map<string, string>, loaded: readonly string[], behaviour: Behaviour) {
    this.build = build;
    this.texts = texts;
    this.#behaviour = behaviour;
    for (const name of loaded) this.#add(name, []);
  }

  onUevent(listener: (action: 'add' | 'remove', kmod: string) => void): void {
    this.#listeners.push(listener);
  }

  loadedNames(): string[] {
    return [...this.#loaded.keys()];
  }

  /** Somebody uses a kmod from now on, or (false) no longer. */
  hold(name: string, holds: boolean): void {
    const kmod = this.#loaded.get(name);
    if (kmod === undefined) return;
    kmod.held = holds ? kmod.held + 1 : Math.max(0, kmod.held - 1);
    this.#procModules = undefined;
  }

  /** As `modprobe NAME`: with what it depends on. @param parameters name=value. */
  load(name: string, parameters: readonly string[] = []): Effect {
    const build = this.build.kmods.get(name);
    if (build === undefined)
      return refused(`modprobe: FATAL: Module ${name} not found in directory /lib/modules/${this.build.release}`);
    if (this.#loaded.has(name)) return DONE;
    const behaves = this.#behaviour.routine(name, 'init');
    if (behaves === 'fails') return refused(`modprobe: ERROR: could not insert '${name}': Invalid argument`);
    if (behaves === 'hangs') return { kind: 'hangs' };
    this.#add(name, parameters);
    return DONE;
  }

  /** As `rmmod NAME`. */
  unload(name: string): Effect {
    const kmod = this.#loaded.get(name);
    if (kmod === undefined) return refused(`rmmod: ERROR: Module ${name} is not currently loaded`);
    const users = this.#usersOf(name);
    if (users.length > 0) return refused(`rmmod: ERROR: Module ${name} is in use by: ${users.join(' ')}`);
    if (kmod.held > 0) return refused(`rmmod: ERROR: Module ${name} is in use`);
    if (kmod.build.permanent) return refused(`rmmod: ERROR: could not remove '${name}': Device or resource busy`);
    const behaves = this.#behaviour.routine(name, 'exit');
    if (behaves === 'fails')
      return refused(`rmmod: ERROR: could not remove module ${name}: Resource temporarily unavailable`);
    if (behaves === 'hangs') {
      kmod.state = 'Unloading';
      this.#procModules = undefined;
      return { kind: 'hangs' };
    }
    this.#loaded.delete(name);
    this.#procModules = undefined;
    this.#tell('remove', name);
    return DONE;
  }

  /** The exit routine that hangs returns after all. */
  exitReturns(name: string): void {
    if (this.#loaded.get(name)?.state !== 'Unloading') return;
    this.#loaded.delete(name);
    this.#procModules = undefined;
    this.#tell('remove', name);
  }

  procModules(): string {
    this.#procModules ??= this.#lines();
    return this.#procModules;
  }

  hasSysModule(name: string): boolean {
    return this.#loaded.has(name) || this.build.builtin.has(name);
  }

  parameter(kmod: string, name: string): string | undefined {
    return (this.#loaded.get(kmod)?.parameters ?? this.#builtinParameters.get(kmod))?.get(name);
  }

  /** As a write to /sys/module/KMOD/parameters/NAME, of one that is there. False: nothing of that name is. */
  setParameter(kmod: string, name: string, value: string): boolean {
    const loaded = this.#loaded.get(kmod);
    if (loaded === undefined && !this.build.builtin.has(kmod)) return false;
    const parameters = loaded?.parameters ?? this.#builtinParameters.get(kmod) ?? new Map<string, string>();
    parameters.set(name, value);
    if (loaded === undefined) this.#builtinParameters.set(kmod, parameters);
    return true;
  }

  #add(name: string, parameters: readonly string[]): void {
    const build = this.build.kmods.get(name);
    if (build === undefined || this.#loaded.has(name)) return;
    for (const needed of build.depends) this.#add(needed, []);
    const set = parameters.map((parameter): [string, string] => {
      const at = parameter.indexOf('=');
      return [parameter.slice(0, at), parameter.slice(at + 1)];
    });
    this.#loaded.set(name, { build, held: 0, state: 'Live', parameters: new Map(set) });
    this.#procModules = undefined;
    this.#tell('add', name);
  }

  #usersOf(name: string): string[] {
    return [...this.#loaded.values()]
      .filter(({ build }) => build.depends.includes(name))
      .map(({ build }) => build.name);
  }

  #lines(): string {
    const users = new Map<string, string[]>();
    for (const { build } of this.#loaded.values())
      for (const needed of build.depends) {
        const known = users.get(needed);
        if (known === undefined) users.set(needed, [build.name]);
        else known.push(build.name);
      }
    return [...this.#loaded.values()]
      .reverse()
      .map((kmod) => procLine(kmod, users.get(kmod.build.name) ?? []))
      .join('');
  }

  #tell(action: 'add' | 'remove', kmod: string): void {
    for (const listener of this.#listeners) listener(action, kmod);
  }
}

/** kernel/module/procfs.c */
function procLine({ build, held, state }: Loaded, users: readonly string[]): string {
  const listed = [...(build.permanent ? ['[permanent]'] : []), ...users];
  const names = listed.length === 0 ? '-' : `${listed.join(',')},`;
  const count = state === 'Unloading' ? -1 : held + users.length;
  const taint = build.taint === '' ? '' : ` (${build.taint})`;
  return `${build.name} ${build.size} ${count} ${names} ${state} 0x0000000000000000${taint}\n`;
}

function refused(stderr: string): Effect {
  return { kind: 'refused', stderr: `${stderr}\n` };
}
