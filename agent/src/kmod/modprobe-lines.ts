import type { ConfigFile } from './modprobe-files.ts';
import { foldAlias } from './index-parsers.ts';
import { kernelName } from './kernel-name.ts';

/** Keywords that modprobe knows. `include` and `config` are read no more. */
export const MODPROBE_KEYWORDS = ['alias', 'blacklist', 'install', 'options', 'remove', 'softdep'] as const;

/** One of them. */
export type ModprobeKeyword = (typeof MODPROBE_KEYWORDS)[number];

/** One line that modprobe acts on. */
export interface ModprobeEntry {
  readonly keyword: ModprobeKeyword;
  /** Kmod, alias or pattern that it is about; `-` folded to `_`. */
  readonly subject: string;
  /** What follows: a command, options, softdeps, the kmod of an alias; empty for blacklist. */
  readonly rest: string;
  readonly file: string;
  /** First line, from 1: a line may go on after a backslash. */
  readonly line: number;
}

/** A line that says nothing to modprobe though it seems to; worth showing, as people believe it. */
export interface IgnoredLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
  readonly why: string;
}

/** What one file says. */
export interface ParsedModprobeFile {
  readonly entries: readonly ModprobeEntry[];
  readonly ignored: readonly IgnoredLine[];
}

/**
 * Reads a file as libkmod does (libkmod-config.c: kmod_config_parse, freadline_wrapped):
 * a backslash before a newline joins lines, also in a comment, which so swallows the next line; a backslash before anything else vanishes;
 * keywords are lower case; a byte-order mark makes the first line a bad one; `#` starts a comment only as the first character;
 * a carriage return is part of the last word, so a name that ends in one matches nothing.
 */
export function parseModprobeFile(file: ConfigFile): ParsedModprobeFile {
  const entries: ModprobeEntry[] = [];
  const ignored: IgnoredLine[] = [];
  for (const { text, line } of joinedLines(file.text)) {
    if (text === '' || text.startsWith('#')) continue;
    const parsed = parseLine(text);
    if (parsed === undefined) continue;
    if (typeof parsed === 'string') ignored.push({ file: file.path, line, text: text.slice(0, 200), why: parsed });
    else entries.push({ ...parsed, file: file.path, line });
  }
  return { entries, ignored };
}

function parseLine(text: string): Omit<ModprobeEntry, 'file' | 'line'> | string | undefined {
  const [keyword, afterKeyword] = firstWord(text);
  if (keyword === '') return undefined;
  if (!isKeyword(keyword)) return whyNoKeyword(keyword);
  const [subject, rest] = firstWord(afterKeyword);
  if (subject === '') return `"${keyword}" without a name`;
  if (/\p{Cc}/u.test(subject)) {
    return subject.endsWith('\r')
      ? 'a carriage return (Windows line end) is part of the name for modprobe, so it matches no kmod'
      : 'a control character is part of the name, so it matches no kmod';
  }
  if (keyword === 'blacklist') return { keyword, subject: kernelName(subject), rest: '' };
  if (keyword === 'alias') {
    const [target] = firstWord(rest);
    return target === ''
      ? '"alias" without a kmod'
      : { keyword, subject: foldAlias(subject), rest: kernelName(target) };
  }
  // As strtok_r(NULL, "\0"): what follows the one separator, blanks and all; nothing at all is a syntax error.
  if (rest === '') return `"${keyword} ${subject}" without what to do`;
  return { keyword, subject: foldAlias(subject), rest };
}

function whyNoKeyword(word: string): string {
  if (word.startsWith('\uFEFF')) return 'the file begins with a byte-order mark, which voids its first line';
  if (isKeyword(word.toLowerCase())) return `"${word}" is not lower case`;
  if (word.startsWith('#')) return 'a comment must begin in the first column';
  return `"${word.slice(0, 40)}" is no keyword of modprobe.d`;
}

/** The first word, and what follows after one separator, as strtok_r leaves it. */
function firstWord(text: string): [word: string, rest: string] {
  const match = /^[ \t]*([^ \t]*)(?:[ \t]([\s\S]*))?$/.exec(text);
  return [match?.[1] ?? '', (match?.[2] ?? '').replace(/^[ \t]+/, '')];
}

function isKeyword(word: string): word is ModprobeKeyword {
  return (MODPROBE_KEYWORDS as readonly string[]).includes(word);
}

function* joinedLines(text: string): Generator<{ text: string; line: number }> {
  let line = 1;
  let first = 1;
  let joined = '';
  for (let index = 0; index < text.length; index++) {
    const character = text[index];
    if (character === '\n') {
      yield { text: joined, line: first };
      joined = '';
      first = ++line;
    } else if (character === '\\') {
      const next = text[++index];
      if (next === '\n') line++;
      else joined += next ?? '';
    } else {
      joined += character;
    }
  }
  if (joined !== '') yield { text: joined, line: first };
}
