import type { PlacedFigure } from './result-file.ts';

/** The same measured of several subjects, in one unit. */
export interface Comparison {
  readonly what: string;
  readonly unit: string;
  readonly of: readonly { readonly subject: string; readonly figure: PlacedFigure }[];
}

/** Whose figures are named `SUBJECT: WHAT`, of subjects that stand beside each other. Elsewhere a colon says something else. */
const BESIDE_EACH_OTHER: ReadonlySet<string> = new Set(['peers', 'agent', 'replicas']);
/** Counts of what went wrong are read, not drawn; nor is what is 0 everywhere. */
const NOT_DRAWN = /^runs without /;

export function comparisons(file: string, figures: readonly PlacedFigure[]): Comparison[] {
  if (!BESIDE_EACH_OTHER.has(file)) return [];
  const found = new Map<string, { what: string; unit: string; of: { subject: string; figure: PlacedFigure }[] }>();
  for (const figure of figures) {
    const [, subject, what] = /^(.*?): (.*)$/.exec(figure.name) ?? [];
    if (subject === undefined || what === undefined || NOT_DRAWN.test(what)) continue;
    const key = `${what}|${figure.unit}`;
    const one = found.get(key) ?? { what, unit: figure.unit, of: [] };
    found.set(key, one);
    one.of.push({ subject, figure });
  }
  return [...found.values()].filter(
    ({ of }) => new Set(of.map(({ subject }) => subject)).size > 1 && of.some(({ figure }) => figure.value !== 0),
  );
}

/** One figure at several sizes of a fleet, the smallest first. */
export interface Growth {
  readonly part: string;
  readonly name: string;
  readonly unit: string;
  readonly reach: number | null;
  readonly points: readonly { readonly hosts: number; readonly figure: PlacedFigure }[];
}

/** Parts are named `HOSTS PART` where a fleet grows; a name may have the number in it, too. */
export function growth(figures: readonly PlacedFigure[]): Growth[] {
  const found = new Map<string, PlacedFigure[]>();
  for (const figure of figures) {
    const size = sizeOf(figure);
    if (size === undefined) continue;
    const key = `${size.part}|${size.name}|${figure.unit}`;
    found.set(key, [...(found.get(key) ?? []), figure]);
  }
  return [...found.values()].flatMap((same) => {
    const points = same
      .map((figure) => ({ hosts: sizeOf(figure)?.hosts ?? 0, figure }))
      .sort((a, b) => a.hosts - b.hosts);
    const last = points.at(-1)?.figure;
    const size = last === undefined ? undefined : sizeOf(last);
    if (points.length < 2 || last === undefined || size === undefined) return [];
    return [{ part: size.part, name: size.name, unit: last.unit, reach: last.reach, points }];
  });
}

function sizeOf({ part, name }: PlacedFigure): { hosts: number; part: string; name: string } | undefined {
  const [, digits, rest] = /^(\d+) (.+)$/.exec(part) ?? [];
  if (digits === undefined || rest === undefined) return undefined;
  return {
    hosts: Number(digits),
    part: rest,
    name: name.replaceAll(new RegExp(`\\b${digits} hosts\\b`, 'g'), 'all hosts'),
  };
}

/** In the order in which they came. */
export function byPart(figures: readonly PlacedFigure[]): Map<string, PlacedFigure[]> {
  const parts = new Map<string, PlacedFigure[]>();
  for (const figure of figures) parts.set(figure.part, [...(parts.get(figure.part) ?? []), figure]);
  return parts;
}
