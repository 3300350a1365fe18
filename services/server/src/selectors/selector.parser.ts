import { canonicalKmodName, KmodNameError } from '@modfleet/proto';
import { type FactName, FACTS, type OrderOperator, type Requirement, type Selector } from './selector.ast.ts';
import { Scanner } from './selector.scanner.ts';

/** More than any person writes; bounds the SQL that a selector becomes. */
const MAX_REQUIREMENTS = 32;
const MAX_VALUES = 256;
const KEY_CHARACTERS = /[A-Za-z0-9_./-]/;
const KEY = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;
const VALUE_CHARACTERS = /[A-Za-z0-9_.+:~^-]/;
const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/;
const GLOB_CHARACTERS = /[A-Za-z0-9_.+:~^*?-]/;
const ORDER_OPERATORS: readonly OrderOperator[] = ['<=', '>=', '<', '>'];

/**
 * Parses a selector: requirements with commas between them, all of which must hold.
 *
 *   env=prod   env!=prod   role in (db,cache)   role notin (db,cache)   gpu   !gpu
 *   @os=debian   @loaded=floppy   @driver!=e1000e   @kernel~6.1.*   @kernel!~6.1.*   @kernel<6.1.0-51
 *
 * @throws SelectorError pointing at the character.
 */
export function parseSelector(text: string): Selector {
  const scanner = new Scanner(text);
  scanner.skipBlanks();
  if (scanner.atEnd())
    scanner.fail('an empty selector selects nothing on purpose: write a requirement, or ask for all hosts', 0);
  const requirements: Requirement[] = [];
  for (;;) {
    scanner.skipBlanks();
    const start = scanner.offset;
    requirements.push(parseRequirement(scanner));
    if (requirements.length > MAX_REQUIREMENTS)
      scanner.fail(`a selector has at most ${MAX_REQUIREMENTS} requirements`, start);
    scanner.skipBlanks();
    if (scanner.atEnd()) return requirements;
    if (!scanner.take(',')) scanner.fail(`expected "," or the end here, not ${scanner.here()}`);
  }
}

function parseRequirement(scanner: Scanner): Requirement {
  if (scanner.take('@')) return parseFact(scanner);
  if (scanner.take('!')) {
    scanner.skipBlanks();
    return { kind: 'label_exists', key: parseKey(scanner), exists: false };
  }
  return parseLabel(scanner);
}

function parseLabel(scanner: Scanner): Requirement {
  const key = parseKey(scanner);
  scanner.skipBlanks();
  if (scanner.take('!=')) return { kind: 'label', key, operator: 'notin', values: [parseLabelValue(scanner)] };
  const doubled = scanner.take('==');
  if (doubled && isEnd(scanner))
    scanner.fail(
      `"${key}==" compares with nothing: "${key}=" is for a label that is empty, "!${key}" for one that is not there`,
    );
  if (doubled || scanner.take('=')) return { kind: 'label', key, operator: 'in', values: [parseLabelValue(scanner)] };
  if (scanner.takeWord('in'))
    return { kind: 'label', key, operator: 'in', values: parseList(scanner, parseLabelValue) };
  if (scanner.takeWord('notin'))
    return { kind: 'label', key, operator: 'notin', values: parseList(scanner, parseLabelValue) };
  if (scanner.atEnd() || scanner.peek() === ',') return { kind: 'label_exists', key, exists: true };
  if (/[<>~]/.test(scanner.peek()))
    scanner.fail(`"${scanner.peek()}" compares facts, and ${key} is a label: facts begin with "@"`);
  return scanner.fail(`expected =, !=, in, notin, "," or the end after the label ${key}, not ${scanner.here()}`);
}

function isEnd(scanner: Scanner): boolean {
  scanner.skipBlanks();
  return scanner.atEnd() || scanner.peek() === ',';
}

function parseKey(scanner: Scanner): string {
  const start = scanner.offset;
  const key = scanner.run(KEY_CHARACTERS);
  if (key === '') scanner.fail(`expected a label or "@" and a fact here, not ${scanner.here()}`, start);
  if (!KEY.test(key))
    scanner.fail(
      `${JSON.stringify(key.slice(0, 80))} is no label: at most 63 letters, digits, "_", "." and "-", a letter or digit at both ends`,
      start,
    );
  return key;
}

function parseLabelValue(scanner: Scanner): string {
  scanner.skipBlanks();
  const start = scanner.offset;
  const value = scanner.run(VALUE_CHARACTERS);
  if (!LABEL_VALUE.test(value))
    scanner.fail(
      `${JSON.stringify(value.slice(0, 80))} is no label value: at most 63 letters, digits, "_", "." and "-"`,
      start,
    );
  return value;
}

function parseFact(scanner: Scanner): Requirement {
  const start = scanner.offset;
  const name = scanner.run(/[A-Za-z_]/);
  if (!isFact(name)) {
    scanner.fail(
      `${name === '' ? `expected a fact here, not ${scanner.here()}` : `there is no fact @${name.slice(0, 40)}`}; facts are ${factList()}`,
      start,
    );
  }
  scanner.skipBlanks();
  if (scanner.take('!='))
    return { kind: 'fact_set', fact: name, operator: 'notin', values: [parseFactValue(scanner, name)] };
  if (scanner.take('!~')) return { kind: 'fact_glob', fact: name, operator: '!~', glob: parseGlob(scanner, name) };
  if (scanner.take('==') || scanner.take('='))
    return { kind: 'fact_set', fact: name, operator: 'in', values: [parseFactValue(scanner, name)] };
  if (scanner.take('~')) return { kind: 'fact_glob', fact: name, operator: '~', glob: parseGlob(scanner, name) };
  if (scanner.takeWord('in'))
    return {
      kind: 'fact_set',
      fact: name,
      operator: 'in',
      values: parseList(scanner, (inner) => parseFactValue(inner, name)),
    };
  if (scanner.takeWord('notin'))
    return {
      kind: 'fact_set',
      fact: name,
      operator: 'notin',
      values: parseList(scanner, (inner) => parseFactValue(inner, name)),
    };
  const at = scanner.offset;
  const operator = ORDER_OPERATORS.find((each) => scanner.take(each));
  if (operator === undefined)
    return scanner.fail(`expected =, !=, ~, !~, <, <=, >, >=, in or notin after @${name}, not ${scanner.here()}`);
  if (name !== 'kernel')
    return scanner.fail(`"${operator}" compares versions, and @${name} is none; only @kernel is`, at);
  return { kind: 'fact_order', fact: name, operator, version: parseFactValue(scanner, name) };
}

function parseFactValue(scanner: Scanner, fact: FactName): string {
  scanner.skipBlanks();
  const start = scanner.offset;
  const value = scanner.run(VALUE_CHARACTERS);
  if (/[*?]/.test(scanner.peek()))
    scanner.fail(`"${scanner.peek()}" is a wildcard: compare with ~ or !~, for example @${fact}~${value}*`);
  if (value === '') scanner.fail(`expected a value for @${fact} here, not ${scanner.here()}`, start);
  if (fact === 'loaded' || fact === 'driver') return canonicalAt(scanner, value, start, fact);
  return value;
}

/** Kmods are compared by their canonical names; drivers too, because people type both spellings of those as well. */
function canonicalAt(scanner: Scanner, value: string, start: number, fact: 'loaded' | 'driver'): string {
  if (fact === 'driver') return value.replaceAll('-', '_');
  try {
    return canonicalKmodName(value);
  } catch (error) {
    if (error instanceof KmodNameError) return scanner.fail(error.message, start);
    throw error;
  }
}

function parseGlob(scanner: Scanner, fact: FactName): string {
  scanner.skipBlanks();
  const start = scanner.offset;
  const glob = scanner.run(GLOB_CHARACTERS);
  if (glob === '')
    scanner.fail(`expected a pattern for @${fact} here, for example 6.1.*, not ${scanner.here()}`, start);
  return fact === 'loaded' || fact === 'driver' ? glob.replaceAll('-', '_') : glob;
}

function parseList(scanner: Scanner, parseOne: (scanner: Scanner) => string): string[] {
  scanner.skipBlanks();
  const start = scanner.offset;
  if (!scanner.take('(')) scanner.fail(`expected "(" here, as in (db,cache), not ${scanner.here()}`);
  const values: string[] = [];
  for (;;) {
    values.push(parseOne(scanner));
    if (values.length > MAX_VALUES) scanner.fail(`a list has at most ${MAX_VALUES} values`, start);
    scanner.skipBlanks();
    if (scanner.take(')')) return values;
    if (!scanner.take(',')) scanner.fail(`expected "," or ")" here, not ${scanner.here()}`);
  }
}

function isFact(name: string): name is FactName {
  return Object.hasOwn(FACTS, name);
}

function factList(): string {
  return Object.keys(FACTS)
    .map((fact) => `@${fact}`)
    .join(', ');
}
