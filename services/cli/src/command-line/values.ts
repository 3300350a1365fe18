import { canonicalKmodName, KmodNameError } from '@modfleet/proto/kmod-name';
import { usageError } from '../errors/cli-error.ts';

const PAGE_MAX = 1000;
const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A kmod name in canonical form; what is none is refused before anything is sent. */
export function kmodName(text: string): string {
  try {
    return canonicalKmodName(text);
  } catch (error) {
    if (!(error instanceof KmodNameError)) throw error;
    throw usageError(error.message, `look for one: modfleet kmods list --name '*PART*'`);
  }
}

/** Characters of a modalias (pci:v00008086d…, net-pf-38) and of driver names; no white space, quotes or shell text. */
const KMOD_OR_ALIAS = /^[A-Za-z0-9_][A-Za-z0-9_:.,*?[\]+=/-]{0,511}$/;

/**
 * A kmod name, or what stands for one: an alias or a driver's name. A plain name becomes canonical; an alias must look like one (it has a ":"
 * or "-" and no "/" at its front), so that a path, an option or shell text is refused here.
 */
export function kmodOrAlias(text: string): string {
  if (text.includes(':') && KMOD_OR_ALIAS.test(text)) return text;
  return kmodName(text);
}

/** A driver's name as the bus has it: it may hold blanks and capitals ("Intel(R) Something"), so only control characters are refused. */
export function driverName(text: string): string {
  if (text.trim() === '') throw usageError('a driver name is empty');
  if (text.length > 255) throw usageError(`a driver name has at most 255 characters, this one has ${text.length}`);
  if (text.startsWith('-')) throw usageError(`${JSON.stringify(text)} looks like an option, not a driver name`);
  if (/[\p{Cc}/]/u.test(text))
    throw usageError(`${JSON.stringify(text)} is no driver name: it has no "/" and no control characters`);
  return text;
}

/** A host's name or id. */
export function hostName(text: string): string {
  if (text.trim() === '') throw usageError('a host name is empty', 'see which there are: modfleet hosts list');
  if (text.startsWith('-') || text.length > 253 || !/^[A-Za-z0-9._-]+$/.test(text)) {
    throw usageError(
      `${JSON.stringify(text.slice(0, 64))} is no host name or id`,
      'see which there are: modfleet hosts list',
    );
  }
  return text;
}

/** A selector; an empty one is an error, since it would mean all hosts. */
export function selector(text: string): string {
  if (text.trim() === '') {
    throw usageError(
      'the selector is empty',
      'for all hosts leave -l out, or say --all where a command wants it',
      'how selectors are written: modfleet help selectors',
    );
  }
  return text;
}

/** A page size. */
export function pageSize(text: string): number {
  const size = /^[0-9]{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(size >= 1 && size <= PAGE_MAX)) {
    throw usageError(
      `--limit takes a whole number from 1 to ${PAGE_MAX}, not ${JSON.stringify(text.slice(0, 32))}`,
      'for everything: --all-pages',
    );
  }
  return size;
}

/** From short to long; a refusal shows those that its range takes. */
const DURATION_EXAMPLES = ['500ms', '2s', '45s', '2m', '5m', '1h', '24h', '7d'];

/** In milliseconds; both ends are taken. */
export interface DurationRange {
  readonly min: number;
  readonly max: number;
}

/** A duration in milliseconds from text such as 500ms, 2s, 5m, 24h, 7d; a number alone means seconds. */
export function duration(option: string, text: string, range: DurationRange): number {
  const ms = milliseconds(text);
  if (!isWithin(ms, range)) {
    throw usageError(
      `${option} takes a time from ${spell(range.min)} to ${spell(range.max)}${examplesIn(range)}; not ${JSON.stringify(text.slice(0, 32))}`,
      'a number alone means seconds',
    );
  }
  return Math.round(ms);
}

function milliseconds(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)?$/.exec(text);
  return match ? Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? NaN) : NaN;
}

function isWithin(ms: number, { min, max }: DurationRange): boolean {
  return ms >= min && ms <= max;
}

/** A short, a middle and a long one. */
function examplesIn(range: DurationRange): string {
  const fitting = DURATION_EXAMPLES.filter((text) => isWithin(milliseconds(text), range));
  const shown = new Set(
    [fitting[0], fitting[fitting.length >> 1], fitting.at(-1)].filter((text) => text !== undefined),
  );
  return shown.size === 0 ? '' : `, for example ${[...shown].join(', ')}`;
}

function spell(ms: number): string {
  const unit = Object.entries(UNIT_MS).findLast(([, size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[1]}${unit[0]}` : `${ms}ms`;
}

/** key=value of an option that may be given several times; a key twice is an error, not a choice. */
export function keyValue(
  option: string,
  text: string,
  previous: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw usageError(`${option} takes key=value, not ${JSON.stringify(text.slice(0, 64))}`);
  const key = text.slice(0, at);
  if (key in previous) throw usageError(`${option} ${key} is given twice`);
  return { ...previous, [key]: text.slice(at + 1) };
}

/** One key=value parameter of a load: the server's grammar, seen before anything is sent. */
export function parameter(text: string, previous?: Readonly<Record<string, string>>): Record<string, string> {
  const all = keyValue('--param', text, previous);
  const [key = '', value = ''] = Object.entries(all).at(-1) ?? [];
  if (!/^[A-Za-z0-9_.-]{1,64}$/.test(key))
    throw usageError(
      `--param: ${JSON.stringify(key.slice(0, 64))} is no parameter name: letters, digits, "_", "-" and "." only`,
    );
  if (/[\s"'\p{Cc}]/u.test(value))
    throw usageError(
      `--param ${key}: a value has no white space, quotes or control characters (the kernel would split it in two)`,
    );
  return all;
}

/** One of a few words. */
export function oneOf<W extends string>(option: string, words: readonly W[]): (text: string) => W {
  return (text) => {
    const word = words.find((each) => each === text);
    if (word === undefined)
      throw usageError(`${option} takes one of ${words.join(', ')}; not ${JSON.stringify(text.slice(0, 32))}`);
    return word;
  };
}

/** A comma-separated list out of a few words, each once. */
export function someOf<W extends string>(option: string, words: readonly W[]): (text: string) => W[] {
  const one = oneOf(option, words);
  return (text) => [...new Set(text.split(',').map((word) => one(word.trim())))];
}

/** An action's or token's id. */
export function uuid(what: string, text: string, see: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw usageError(`${JSON.stringify(text.slice(0, 64))} is no id of ${what}`, `see which there are: ${see}`);
  return text.toLowerCase();
}
