import { UsageError } from './usage-error.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const LONGEST_SECONDS = 3650 * 86_400;

/**
 * Seconds of a duration such as 30s, 15m, 1h or 90d.
 *
 * @throws UsageError
 */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const unit = match?.[2] as keyof typeof SECONDS | undefined;
  const seconds = unit === undefined ? 0 : Number(match?.[1]) * SECONDS[unit];
  if (seconds < 1 || seconds > LONGEST_SECONDS)
    throw new UsageError(`${JSON.stringify(text)} is no duration: give for example 30s, 15m, 1h or 90d`);
  return seconds;
}
