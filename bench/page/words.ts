const NUMBERS = new Intl.NumberFormat('en', { maximumFractionDigits: 3 });

/** With a comma before each three digits, and no more places than say something. */
export function inDigits(value: number): string {
  return NUMBERS.format(value);
}

/** `2026-11-29T23:48:18.167Z` as `2026-11-29 23:48 UTC`; what is no such date as it is. */
export function inMinutes(date: string): string {
  return date.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):.*Z$/, '$1 $2 UTC');
}

/** A name for a place on the page. */
export function anchor(name: string): string {
  return name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase();
}
