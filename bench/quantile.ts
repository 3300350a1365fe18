/** The value that this share (0 to 1) of them does not exceed, by nearest rank. @throws Error for none */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
  if (value === undefined) throw new Error('no quantile of nothing');
  return value;
}
