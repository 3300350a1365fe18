import type { Figure } from '../figures.ts';

/** Where and when; what a result does not say is ''. */
export interface MeasuredAt {
  readonly machine: string;
  readonly date: string;
  readonly commit: string;
  readonly loadAverage: number | undefined;
}

/** A figure with the part of the benchmark that it is of. */
export interface PlacedFigure extends Figure, MeasuredAt {
  readonly part: string;
}

/** One file of bench/results: figures, or, of a proof, what it counted. */
export interface ResultFile extends MeasuredAt {
  readonly name: string;
  readonly figures: readonly PlacedFigure[];
  readonly facts: readonly Fact[];
}

export interface Fact {
  readonly name: string;
  readonly value: string | number | boolean | readonly FactRow[];
}
export type FactRow = Readonly<Record<string, string | number | boolean>>;

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

const SAID_ELSEWHERE = new Set(['machine', 'date', 'commit', 'loadAverage', 'figures']);

/** @param json what the file has */
export function readResult(name: string, json: unknown): ResultFile {
  const top = json as { readonly [name: string]: Json };
  // Parts that ran apart say it each: the page shows the first.
  const apart = Object.values(top)
    .flatMap((value) => (Array.isArray(value) ? value : []))
    .find((value) => isRecord(value) && 'machine' in value);
  const at = measuredAt('machine' in top ? top : (apart ?? {}));
  if (Array.isArray(top['figures']))
    return {
      name,
      ...at,
      facts: [],
      figures: named(top['figures'].map((one) => placed(one as unknown as Figure, at))),
    };
  const facts = Object.entries(top).flatMap(([key, value]) => (SAID_ELSEWHERE.has(key) ? [] : factsOf(key, value)));
  return { name, ...at, facts, figures: [] };
}

function placed(one: Figure & Partial<PlacedFigure>, at: MeasuredAt): PlacedFigure {
  return { ...at, part: '', ...one };
}

/** `the same: p50` says what of only where it stands, below `question: p99`. */
function named(figures: readonly PlacedFigure[]): PlacedFigure[] {
  return figures.reduce<PlacedFigure[]>((all, one) => {
    const [, rest] = /^the same(: .*)$/.exec(one.name) ?? [];
    const above = all.at(-1)?.name.replace(/: [^:]*$/, '');
    return [...all, rest === undefined || above === undefined ? one : { ...one, name: `${above}${rest}` }];
  }, []);
}

function measuredAt(json: Json): MeasuredAt {
  const from = isRecord(json) ? json : {};
  const text = (key: string): string => (typeof from[key] === 'string' ? from[key] : '');
  const load = from['loadAverage'];
  return {
    machine: text('machine'),
    date: text('date'),
    commit: text('commit'),
    loadAverage: typeof load === 'number' ? load : undefined,
  };
}

/** What can be read at a glance: a value, a list of counts, a table. What lies deeper is in the file. */
function factsOf(name: string, value: Json): Fact[] {
  if (value === null) return [{ name, value: 'none' }];
  if (Array.isArray(value)) {
    const rows = value.filter(isRecord).map(flatRow);
    return [{ name, value: rows.length === 0 ? value.length : rows }];
  }
  if (!isRecord(value)) return [{ name, value: value as string | number | boolean }];
  const counts = Object.entries(value).filter(([, count]) => typeof count === 'number');
  return counts.length === 0
    ? []
    : [{ name, value: counts.map(([what, times]) => ({ what, times: times as number })) }];
}

function flatRow(row: { readonly [name: string]: Json }): FactRow {
  return Object.fromEntries(
    Object.entries(row).flatMap(([key, value]) => (value === null || typeof value === 'object' ? [] : [[key, value]])),
  );
}

function isRecord(value: Json): value is { readonly [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
