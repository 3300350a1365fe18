import type { Document, LineCounter, Node, Pair, ParsedNode } from 'yaml';
import { closest } from '../../command-line/closest.ts';
import { CliError, usageError } from '../../errors/cli-error.ts';

/** What is wrong at a line. */
export interface Fault {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

/** The file as it is read: what is wrong is collected, so that all of it is told at once. */
export interface Reading {
  readonly yaml: typeof import('yaml');
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  readonly faults: Fault[];
}

/** Reads the value of one key. `name` is how the key is called in refusals: "budget.wave.failed". @throws CliError when it is not as it should be. */
export type Read<T> = (node: Node | null, name: string, reading: Reading) => T;

/** Reads a map with known keys. A key that is not known is a fault, with the one that may have been meant. */
export function readMap<T extends object>(
  node: Node | null,
  name: string,
  keys: { readonly [K in keyof T]-?: Read<T[K]> },
  reading: Reading,
): Partial<T> {
  const { yaml, faults } = reading;
  const map = resolved(node, reading);
  if (!yaml.isMap(map)) throw usageError(`${name} takes keys with values`, `keys: ${Object.keys(keys).join(', ')}`);
  const known = Object.keys(keys) as (keyof T & string)[];
  const found: Partial<T> = {};
  for (const pair of map.items as Pair<ParsedNode, ParsedNode | null>[]) {
    const typed = String(yaml.isScalar(pair.key) ? pair.key.value : '');
    const key = known.find((each) => each === typed);
    const at = name === '' ? typed : `${name}.${typed}`;
    const line = lineOf(pair.key, reading);
    if (key === undefined) {
      faults.push({ line, text: unknownKey(typed, name, known) });
      continue;
    }
    try {
      found[key] = keys[key](pair.value, at, reading);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      faults.push({ line, text: [error.message, ...error.hints].join('; ') });
    }
  }
  return found;
}

function unknownKey(typed: string, name: string, known: readonly string[]): string {
  const meant = closest(typed, known);
  const where = name === '' ? 'here' : `in ${name}`;
  return meant === undefined
    ? `there is no key ${JSON.stringify(typed)} ${where}; keys: ${known.join(', ')}`
    : `there is no key ${JSON.stringify(typed)} ${where}; did you mean ${meant}?`;
}

function resolved(node: Node | null, { yaml, document }: Reading): Node | null {
  return yaml.isAlias(node) ? (node.resolve(document) ?? null) : node;
}

function lineOf(node: Node | null | undefined, { lines }: Reading): number {
  return lines.linePos(node?.range?.[0] ?? 0).line;
}

/** A value that stands alone: text or a number as text. */
export const text: Read<string> = (node, name, reading) => {
  const value = plain(node, reading);
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'number') return source(node, reading) ?? String(value);
  throw usageError(`${name} takes a value`);
};

export const flag: Read<boolean> = (node, name, reading) => {
  const value = plain(node, reading);
  if (typeof value === 'boolean') return value;
  throw usageError(`${name} takes true or false`);
};

/** Several values, or one. */
export const texts: Read<string[]> = (node, name, reading) => {
  const found = resolved(node, reading);
  if (!reading.yaml.isSeq(found)) return [text(node, name, reading)];
  if (found.items.length === 0) throw usageError(`${name} is an empty list`);
  return found.items.map((item) => text(item as Node, name, reading));
};

/** Any names, with values. */
export const pairs: Read<Record<string, string>> = (node, name, reading) => {
  const map = resolved(node, reading);
  if (!reading.yaml.isMap(map)) throw usageError(`${name} takes names with values, for example {debug: 1}`);
  return Object.fromEntries(
    (map.items as Pair<ParsedNode, ParsedNode | null>[]).map((pair) => {
      const key = String(reading.yaml.isScalar(pair.key) ? pair.key.value : '');
      return [key, scalarText(pair.value, `${name}.${key}`, reading)];
    }),
  );
};

/** A parameter's value: also true, false, or none at all, as they are written. */
function scalarText(node: Node | null, name: string, reading: Reading): string {
  const value = plain(node, reading);
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  const written = source(node, reading);
  if (written === undefined || typeof value === 'object') throw usageError(`${name} takes one value`);
  return written;
}

function plain(node: Node | null, reading: Reading): unknown {
  const found = resolved(node, reading);
  return reading.yaml.isScalar(found) ? found.value : undefined;
}

/** As it is written: 010 stays 010. */
function source(node: Node | null, reading: Reading): string | undefined {
  const found = resolved(node, reading);
  return reading.yaml.isScalar(found) ? found.source : undefined;
}
