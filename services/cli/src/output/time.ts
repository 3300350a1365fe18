const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span in one unit, rounded down: "4s", "12m", "3h", "5d". Milliseconds in. */
export function span(ms: number): string {
  const positive = Math.max(0, ms);
  if (positive < MINUTE) return `${Math.floor(positive / SECOND)}s`;
  if (positive < HOUR) return `${Math.floor(positive / MINUTE)}m`;
  if (positive < 2 * DAY) return `${Math.floor(positive / HOUR)}h`;
  return `${Math.floor(positive / DAY)}d`;
}

/** A short span with its part of a second: "0.4 s", "2 s". Milliseconds in. */
export function seconds(ms: number): string {
  return `${Number((ms / SECOND).toFixed(ms < 10 * SECOND ? 1 : 0))} s`;
}

/** "4s ago"; "never" for null. Ages come from the server: the clock of this machine may be off. Milliseconds in. */
export function ago(ms: number | null): string {
  return ms === null ? 'never' : `${span(ms)} ago`;
}

/** The age of a time in an answer, by the answer's own "as of". Milliseconds; null for null. */
export function ageAt(iso: string | null, asOf: string): number | null {
  return iso === null ? null : Date.parse(asOf) - Date.parse(iso);
}

/** A time as a person on call says it: "14:03" today, "20 Nov 02:11" this year, "2025-11-20 02:11" before. */
export function clock(iso: string, now: Date, timeZone: string | undefined): string {
  const at = parts(new Date(iso), timeZone);
  const today = parts(now, timeZone);
  const time = `${at.hour}:${at.minute}`;
  if (at.year !== today.year) return `${at.year}-${at.month}-${at.day} ${time}`;
  if (at.month !== today.month || at.day !== today.day)
    return `${Number(at.day)} ${MONTHS[Number(at.month) - 1] ?? ''} ${time}`;
  return time;
}

/** As `clock`, with seconds and the zone: for "as of". */
export function exactClock(iso: string, now: Date, timeZone: string | undefined): string {
  const at = parts(new Date(iso), timeZone);
  return `${clock(iso, now, timeZone)}:${at.second}`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

type Parts = Record<'year' | 'month' | 'day' | 'hour' | 'minute' | 'second', string>;

function parts(date: Date, timeZone: string | undefined): Parts {
  const format = new Intl.DateTimeFormat('en-GB', {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    ...(timeZone === undefined ? {} : { timeZone }),
  });
  const found: Parts = { year: '', month: '', day: '', hour: '', minute: '', second: '' };
  for (const part of format.formatToParts(date)) if (part.type in found) found[part.type as keyof Parts] = part.value;
  return found;
}
