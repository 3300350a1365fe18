import { usageError } from '../../errors/cli-error.ts';

const COUNT = /^[0-9]{1,7}$/;
const PERCENT = /^(100|[0-9]{1,2})(\.[0-9]{1,2})?%$/;
const MOST_WAVES = 50;

/** A number of hosts, or a share of them: "5", "2.5%". @param option what takes it, for the refusal. */
export function amount(option: string, text: string): string {
  const value = text.trim();
  const isShareOverAll = value.startsWith('100.') && !/^100\.0+%$/.test(value);
  if ((COUNT.test(value) || PERCENT.test(value)) && !isShareOverAll) return value;
  throw usageError(
    `${option} takes a number of hosts or a percentage, for example 5 or 2.5%; not ${JSON.stringify(text.slice(0, 32))}`,
  );
}

/** "unlimited", or an amount that is not 0. */
export function concurrency(option: string, text: string): string {
  if (text.trim() === 'unlimited') return 'unlimited';
  const value = amount(option, text);
  if (Number.parseFloat(value) === 0)
    throw usageError(
      `${option} 0 would never begin`,
      'to hold a rollout back: modfleet rollouts pause ID, or create it with --require-approval',
    );
  return value;
}

/** How far each wave reaches, growing: "1,10%,100%". Counts are compared among themselves, and shares; the server knows how many hosts there are. */
export function waves(option: string, text: string): string[] {
  const parts = text.split(',').map((part) => amount(option, part));
  const example = `from few to all, for example ${option.startsWith('-') ? `${option} 1,10%,100%` : `${option}: [1, 10%, 100%]`}`;
  if (parts.length > MOST_WAVES)
    throw usageError(`${option} takes at most ${MOST_WAVES} waves, not ${parts.length}`, example);
  if (parts.some((part) => Number.parseFloat(part) === 0))
    throw usageError(`${option}: a wave of no hosts is none`, example);
  for (const isShare of [true, false]) {
    const alike = parts.filter((part) => part.endsWith('%') === isShare);
    const at = alike.findIndex((part, n) => n > 0 && Number.parseFloat(part) <= Number.parseFloat(alike[n - 1] ?? ''));
    if (at > 0)
      throw usageError(
        `${option}: waves grow, and ${alike[at]} does not reach further than ${alike[at - 1]} before it`,
        example,
      );
  }
  return parts;
}

/** Hosts that an amount means among `total`; a share is rounded down. */
export function hostsOf(value: string, total: number): number {
  if (!value.endsWith('%')) return Number(value);
  // In hundredths of a percent: 0.07 * 100 is not 7 in floating point.
  const [whole = '0', part = ''] = value.slice(0, -1).split('.');
  return Math.floor((total * (Number(whole) * 100 + Number(part.padEnd(2, '0')))) / 10_000);
}
