/** A number of hosts, or a share of `total` in percent, rounded down. `text` has passed the schema. */
export function hostsOf(text: string, total: number): number {
  if (!text.endsWith('%')) return Number(text);
  // In hundredths of a percent: 0.07 * 100 is not 7 in floating point.
  const [whole = '0', part = ''] = text.slice(0, -1).split('.');
  const hundredths = Number(whole) * 100 + Number(part.padEnd(2, '0'));
  return Math.floor((total * hundredths) / 10_000);
}
