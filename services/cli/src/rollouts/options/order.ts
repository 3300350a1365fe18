import { usageError } from '../../errors/cli-error.ts';

export type Order =
  { readonly by: 'random'; readonly seed?: number } | { readonly by: 'label'; readonly label: string };

const LARGEST_SEED = 2_147_483_647;
const LABEL = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/;

/** "random", "random:42" (the same order again), "label:rack". */
export function order(option: string, text: string): Order {
  const [by, ...rest] = text.split(':');
  const value = rest.join(':');
  if (by === 'label' && LABEL.test(value)) return { by, label: value };
  if (by === 'random') {
    if (rest.length === 0) return { by };
    const seed = /^[0-9]{1,10}$/.test(value) ? Number(value) : NaN;
    if (seed <= LARGEST_SEED) return { by, seed };
    throw usageError(
      `${option} random takes a seed from 0 to ${LARGEST_SEED}, not ${JSON.stringify(value.slice(0, 32))}`,
    );
  }
  throw usageError(
    `${option} takes random, random:SEED or label:KEY; not ${JSON.stringify(text.slice(0, 64))}`,
    'for example random:42 (the same order again), or label:rack (host by host, in the order of that label)',
  );
}

/** As it is typed. */
export function typedOrder(value: Order): string {
  if (value.by === 'label') return `label:${value.label}`;
  return value.seed === undefined ? 'random' : `random:${value.seed}`;
}
