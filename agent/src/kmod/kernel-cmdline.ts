import { kernelName } from './kernel-name.ts';

/** One `key=value` or `key` of the kernel command line. */
export interface CmdlineWord {
  readonly key: string;
  /** Undefined for a word without `=`. */
  readonly value: string | undefined;
}

/** What the kernel command line says about kmods (Documentation/admin-guide/kernel-parameters.txt, modprobe.d(5)). */
export interface CmdlineBlocks {
  /** `modprobe.blacklist=`: as a blacklist line. Canonical names. */
  readonly modprobeBlacklist: readonly string[];
  /** `module_blacklist=`: the kernel refuses any loader. As written: the kernel compares letter by letter, so `a-b` blocks nothing. */
  readonly moduleBlacklist: readonly string[];
  /** `initcall_blacklist=`: functions of code built in. */
  readonly initcallBlacklist: readonly string[];
}

/** Splits at blanks outside of double quotes and drops the quotes (kernel/params.c: next_arg). */
export function parseCmdline(text: string): CmdlineWord[] {
  const words = text.trim().match(/(?:[^\s"]|"[^"]*"?)+/g) ?? [];
  return words.map((word) => {
    const plain = word.replaceAll('"', '');
    const equals = plain.indexOf('=');
    return equals < 0
      ? { key: plain, value: undefined }
      : { key: plain.slice(0, equals), value: plain.slice(equals + 1) };
  });
}

/** The blocks of a kernel command line. `-` and `_` are equal in keys. */
export function cmdlineBlocks(words: readonly CmdlineWord[]): CmdlineBlocks {
  const listOf = (key: string): string[] =>
    words
      .filter((word) => kernelName(word.key) === key)
      .flatMap((word) => (word.value ?? '').split(','))
      .filter((name) => name !== '');
  return {
    modprobeBlacklist: listOf('modprobe.blacklist').map(kernelName),
    moduleBlacklist: listOf('module_blacklist'),
    initcallBlacklist: listOf('initcall_blacklist'),
  };
}
