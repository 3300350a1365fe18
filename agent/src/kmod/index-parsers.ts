import { kernelName, nameOfFile } from './kernel-name.ts';

/** One kmod file of the tree, from modules.dep. */
export interface KmodFile {
  readonly name: string;
  /** Below /lib/modules/RELEASE. */
  readonly path: string;
  /** Hard dependencies, direct and indirect, as modules.dep lists them: the last is loaded first. */
  readonly depends: readonly string[];
}

/** An alias pattern and the kmod that answers to it. */
export interface KmodAlias {
  /** A glob, with `-` folded to `_` outside of brackets, as libkmod compares it. */
  readonly pattern: string;
  readonly kmod: string;
}

/** What a kmod wants loaded beside it. */
export interface SoftDependencies {
  readonly pre: readonly string[];
  readonly post: readonly string[];
}

/** `kernel/a/b.ko: kernel/c/d.ko kernel/e/f.ko` (depmod(8), modules.dep(5)). The first line of a name wins, as in depmod's own index. */
export function parseModulesDep(text: string): Map<string, KmodFile> {
  const files = new Map<string, KmodFile>();
  for (const line of contentLines(text)) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    const name = nameOfFile(path);
    if (!files.has(name)) files.set(name, { name, path, depends: words(line.slice(colon + 1)).map(nameOfFile) });
  }
  return files;
}

/** Paths of code built in, one a line: canonical name to path. */
export function parseModulesBuiltin(text: string): Map<string, string> {
  return new Map(contentLines(text).map((line) => [nameOfFile(line), line]));
}

/**
 * modules.builtin.modinfo: `name.key=value`, ended by NUL; values may hold newlines. Canonical name to its keys; a key may come
 * more than once.
 */
export function parseBuiltinModinfo(bytes: Uint8Array): Map<string, [key: string, value: string][]> {
  const infos = new Map<string, [string, string][]>();
  for (const record of Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8').split('\0')) {
    const equals = record.indexOf('=');
    const dot = record.indexOf('.');
    if (dot < 1 || equals < dot) continue;
    const name = kernelName(record.slice(0, dot));
    const entry: [string, string] = [record.slice(dot + 1, equals), record.slice(equals + 1)];
    const known = infos.get(name);
    if (known === undefined) infos.set(name, [entry]);
    else known.push(entry);
  }
  return infos;
}

/** `alias PATTERN KMOD`, as modules.alias has them. */
export function parseModulesAlias(text: string): KmodAlias[] {
  return contentLines(text).flatMap((line) => {
    const [keyword, pattern, kmod] = words(line);
    return keyword === 'alias' && pattern !== undefined && kmod !== undefined
      ? [{ pattern: foldAlias(pattern), kmod: kernelName(kmod) }]
      : [];
  });
}

/** `softdep KMOD pre: a b post: c`, as modules.softdep has them; the first line of a kmod wins. */
export function parseModulesSoftdep(text: string): Map<string, SoftDependencies> {
  const found = new Map<string, SoftDependencies>();
  for (const line of contentLines(text)) {
    const [keyword, kmod, ...rest] = words(line);
    if (keyword !== 'softdep' || kmod === undefined) continue;
    const name = kernelName(kmod);
    if (!found.has(name)) found.set(name, parseSoftdepArguments(rest.join(' ')));
  }
  return found;
}

/** The words after `softdep KMOD`: names before any `pre:` or `post:` belong to neither (libkmod: kmod_config_add_softdep). */
export function parseSoftdepArguments(text: string): SoftDependencies {
  const pre: string[] = [];
  const post: string[] = [];
  let into: string[] | undefined;
  for (const word of words(text)) {
    if (word === 'pre:') into = pre;
    else if (word === 'post:') into = post;
    else into?.push(kernelName(word));
  }
  return { pre, post };
}

/** `-` folded to `_` outside of brackets: a range such as `[0-9]` keeps its dash (libkmod: alias_normalize). */
export function foldAlias(pattern: string): string {
  if (!pattern.includes('[')) return kernelName(pattern);
  return pattern.replace(/\[[^\]]*\]|[^[]+/g, (part) => (part.startsWith('[') ? part : kernelName(part)));
}

/** Lines that say something: no comments, no empty ones. */
function contentLines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

function words(text: string): string[] {
  return text.split(/[ \t]+/).filter((word) => word !== '');
}
