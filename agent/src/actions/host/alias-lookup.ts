import { fnmatch } from '../../kmod/glob.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';

/** Characters that make a pattern of a text (fnmatch(3)). */
const WILD = /[*?[\\]/;

/**
 * Whether an alias pattern matches, with the cheap question first: a table has thousands of patterns, and turning each into a regular expression
 * costs a second on a slow host.
 */
export function aliasMatches(pattern: string, text: string): boolean {
  const wild = pattern.search(WILD);
  if (wild < 0) return pattern === text;
  return text.startsWith(pattern.slice(0, wild)) && fnmatch(pattern, text);
}

/** The kmods whose alias matches `text` (folded: `foldAlias`). */
export function kmodsOfAlias(aliases: readonly KmodAlias[], text: string): string[] {
  return [...new Set(aliases.filter((alias) => aliasMatches(alias.pattern, text)).map((alias) => alias.kmod))];
}
