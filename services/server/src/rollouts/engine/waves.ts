import { createHash } from 'node:crypto';
import { hostsOf } from './amounts.ts';
import type { RolloutOptions } from './rollout.model.ts';

/** What places a host in the order and in the canary. */
export interface Placed {
  readonly hostId: string;
  readonly name: string;
  readonly kernelRelease: string;
  readonly hardware: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * How far each wave reaches, in hosts, as given: growing, the last one everybody. Waves that reach no further than the one before vanish: 1 % of 20 hosts is none.
 */
export function reachesOf(waves: readonly string[], total: number): number[] {
  const reaches: number[] = [];
  for (const wave of waves) {
    const reach = Math.min(hostsOf(wave, total), total);
    if (reach > (reaches.at(-1) ?? 0)) reaches.push(reach);
  }
  if (total > 0 && reaches.at(-1) !== total) reaches.push(total);
  return reaches;
}

/** Why the waves as given are none; undefined: they are. Counts among themselves grow, and shares. */
export function complaintAboutWaves(waves: readonly string[]): string | undefined {
  for (const kind of ['counts', 'percentages'] as const) {
    const given = waves.filter((wave) => wave.endsWith('%') === (kind === 'percentages'));
    const shrinks = given.findIndex(
      (wave, at) => at > 0 && Number.parseFloat(wave) <= Number.parseFloat(given[at - 1] ?? ''),
    );
    if (shrinks > 0)
      return `waves grow: ${given[shrinks] ?? ''} does not reach further than ${given[shrinks - 1] ?? ''} before it`;
  }
  if (waves.some((wave) => Number.parseFloat(wave) === 0)) return 'a wave of no hosts is none';
  return undefined;
}

/** In the order of the rollout. Random: by a hash of seed and host id, so that the same seed gives the same order. */
export function ordered<Host extends Placed>(hosts: readonly Host[], order: RolloutOptions['order']): Host[] {
  const key =
    order.by === 'random'
      ? (host: Host) => createHash('sha256').update(`${order.seed} ${host.hostId}`).digest('hex')
      : (host: Host) => `${host.labels[order.label] ?? '\uffff'}\0${host.name}\0${host.hostId}`;
  return hosts
    .map((host) => ({ host, key: key(host) }))
    .sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
    .map(({ host }) => host);
}

export interface PlacedTarget<Host> {
  readonly host: Host;
  readonly position: number;
  readonly wave: number;
}

/**
 * Order and wave of every host. With a canary the first wave is one host, the first in the order, of each kernel release and kind of hardware; the other waves
 * reach as far as they say, the canaries counted in.
 */
export function placed<Host extends Placed>(
  hosts: readonly Host[],
  options: Pick<RolloutOptions, 'waves' | 'canary' | 'order'>,
): { readonly targets: PlacedTarget<Host>[]; readonly sizes: number[] } {
  const inOrder = ordered(hosts, options.order);
  const canaries = options.canary ? firstOfEachKind(inOrder) : [];
  const all = [...canaries, ...inOrder.filter((host) => !canaries.includes(host))];
  const reaches = reachesOf(options.waves, all.length).filter((reach) => reach > canaries.length);
  if (canaries.length > 0) reaches.unshift(canaries.length);
  const sizes = reaches.map((reach, at) => reach - (reaches[at - 1] ?? 0));
  let wave = 0;
  const targets = all.map((host, position) => {
    while (position >= (reaches[wave] ?? all.length) && wave < reaches.length - 1) wave += 1;
    return { host, position, wave };
  });
  return { targets, sizes };
}

function firstOfEachKind<Host extends Placed>(hosts: readonly Host[]): Host[] {
  const kinds = new Map<string, Host>();
  for (const host of hosts) {
    const kind = `${host.kernelRelease}\0${host.hardware}`;
    if (!kinds.has(kind)) kinds.set(kind, host);
  }
  return [...kinds.values()];
}
