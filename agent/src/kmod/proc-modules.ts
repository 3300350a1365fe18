import { KmodState } from '@modfleet/proto';
import type { HostFiles, ReadOutcome } from '../host/host-files.ts';
import { kernelName } from './kernel-name.ts';

/** Every loaded kmod, one a line: `name size refcount users state address (taint)` (kernel/module/procfs.c). */
export const PROC_MODULES = '/proc/modules';

/** One loaded kmod as the kernel lists it: from before its init to after its exit. */
export interface ProcModule {
  readonly name: string;
  /** Core size in bytes. */
  readonly size: number;
  /** -1 while unloading; undefined where the kernel counts none (built without MODULE_UNLOAD). */
  readonly refcount: number | undefined;
  /** Kmods that use it, in the kernel's order. */
  readonly users: readonly string[];
  /** It has an init and no exit: the kernel never removes it. */
  readonly permanent: boolean;
  readonly state: KmodState;
  /** Taint letters in kernel order; empty for none. */
  readonly taint: string;
}

const STATES: Readonly<Record<string, KmodState>> = {
  Live: KmodState.KMOD_STATE_LIVE,
  Loading: KmodState.KMOD_STATE_LOADING,
  Unloading: KmodState.KMOD_STATE_UNLOADING,
};

/** A line of /proc/modules that is none. */
export class ProcModulesError extends Error {
  readonly code = 'proc_modules_unreadable';
  constructor(line: string) {
    super(`${PROC_MODULES} has a line that cannot be understood: ${JSON.stringify(line.slice(0, 120))}`);
    this.name = 'ProcModulesError';
  }
}

/**
 * The kmods in the kernel's order: newest first.
 *
 * @throws ProcModulesError at the first line that is none; half a list would look like an answer.
 */
export function parseProcModules(text: string): ProcModule[] {
  return linesOf(text).map(parseLine);
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** Reads and parses /proc/modules; a text that cannot be understood is an `error` outcome. */
export function readProcModules(files: HostFiles): Promise<ReadOutcome<readonly ProcModule[]>> {
  return readWith(files, parseProcModules);
}

async function readWith(
  files: HostFiles,
  parse: (text: string) => ProcModule[],
): Promise<ReadOutcome<readonly ProcModule[]>> {
  const text = await files.readText(PROC_MODULES);
  if (text.kind !== 'ok') return text;
  try {
    return { kind: 'ok', value: parse(text.value) };
  } catch (error) {
    if (error instanceof ProcModulesError) return { kind: 'error', errno: 'EBADMSG', message: error.message };
    throw error;
  }
}

/** Reads /proc/modules again and again, and parses the lines that were not there the last time. The same text gives the same list again. */
export class ProcModulesReader {
  #last: { readonly text: string; readonly list: ProcModule[]; readonly byLine: ReadonlyMap<string, ProcModule> } = {
    text: '',
    list: [],
    byLine: new Map(),
  };

  /** As {@link readProcModules}. */
  read(files: HostFiles): Promise<ReadOutcome<readonly ProcModule[]>> {
    return readWith(files, (text) => {
      const last = this.#last;
      if (text === last.text) return last.list;
      const parsed = linesOf(text).map((line): [string, ProcModule] => [
        line,
        last.byLine.get(line) ?? parseLine(line),
      ]);
      this.#last = { text, list: parsed.map(([, kmod]) => kmod), byLine: new Map(parsed) };
      return this.#last.list;
    });
  }
}

function parseLine(line: string): ProcModule {
  const [name, size, refcount, users, state] = line.split(' ');
  const bytes = Number(size);
  if (
    name === undefined ||
    name === '' ||
    !Number.isSafeInteger(bytes) ||
    refcount === undefined ||
    users === undefined
  ) {
    throw new ProcModulesError(line);
  }
  const count = refcount === '-' ? undefined : Number(refcount);
  if (count !== undefined && !Number.isSafeInteger(count)) throw new ProcModulesError(line);
  const listed = users === '-' ? [] : users.split(',').filter((user) => user !== '');
  return {
    name: kernelName(name),
    size: bytes,
    refcount: count,
    users: listed.filter((user) => user !== '[permanent]').map(kernelName),
    permanent: listed.includes('[permanent]'),
    state: STATES[state ?? ''] ?? KmodState.KMOD_STATE_UNSPECIFIED,
    // `+` and `-` in the last field repeat the state.
    taint: /\(([A-Z]*)[+-]?\)$/.exec(line)?.[1] ?? '',
  };
}
