import { usageError } from '../errors/cli-error.ts';

/** A time in the past as it was typed: so long ago, or an instant. */
export type Moment = { readonly agoMs: number } | { readonly iso: string };

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const INSTANT = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** A time such as 2h, 3d (so long ago), 2026-11-22T10:00Z or "2026-11-22 10:00+01:00". One without its zone is refused: it is another time elsewhere. */
export function moment(option: string, text: string): Moment {
  const ago = /^(\d{1,6})([smhd])$/.exec(text);
  if (ago) return { agoMs: Number(ago[1]) * (UNIT_MS[ago[2] ?? ''] ?? NaN) };
  const time = INSTANT.test(text) ? Date.parse(text.replace(' ', 'T')) : NaN;
  if (Number.isNaN(time)) {
    throw usageError(
      `${option} takes a time: how long ago (30m, 2h, 3d), or a date and time with its zone; not ${JSON.stringify(text.slice(0, 40))}`,
      'for example 2026-11-22T10:00Z or "2026-11-22 10:00+01:00"',
    );
  }
  return { iso: new Date(time).toISOString() };
}

/** ISO 8601 in UTC. */
export function momentIso(at: Moment, now: Date): string {
  return 'iso' in at ? at.iso : new Date(now.getTime() - at.agoMs).toISOString();
}
