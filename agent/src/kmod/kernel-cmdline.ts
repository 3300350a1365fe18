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

/**
 * The blocks of a kernel command line. `-` and `_` are equal in keys.
 *
 * The kernel reads up to a word `--`, what follows is for init; libkmod, which reads /proc/cmdline itself, goes on (libkmod-config.c:
 * kmod_config_parse_kcmdline). A second `module_blacklist=` takes the place of the first (kernel/module/main.c: a core_param), the other two add up.
 * All of it seen on 6.1 and 6.12 with kmod 30.
 */
export function cmdlineBlocks(words: readonly CmdlineWord[]): CmdlineBlocks {
  const end = words.findIndex((word) => word.key === '--' && word.value === undefined);
  const forKernel = end < 0 ? words : words.slice(0, end);
  return {
    modprobeBlacklist: valuesOf(words, 'modprobe.blacklist').flatMap(names).map(kernelName),
    moduleBlacklist: names(valuesOf(forKernel, 'module_blacklist').at(-1) ?? ''),
    initcallBlacklist: valuesOf(forKernel, 'initcall_blacklist').flatMap(names),
  };
}

/** A key without `=` sets nothing. */
function valuesOf(words: readonly CmdlineWord[], key: string): string[] {
  return words.filter((word) => kernelName(word.key) === key).flatMap((word) => word.value ?? []);
}

function names(value: string): string[] {
  return value.split(',').filter((name) => name !== '');
}
