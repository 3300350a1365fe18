import { hostsOf } from '../options/amount.ts';

/** A wave before the rollout is there. */
export interface ForeseenWave {
  /** From 0. */
  readonly wave: number;
  readonly canary: boolean;
  readonly hosts: number;
  /** This wave and those before it. */
  readonly inAll: number;
}

/**
 * Waves in hosts, as the server makes them: what reaches no further than the wave before vanishes, the last wave is everybody, and canaries count into the
 * waves after them.
 *
 * @param canaries hosts of the canary's wave; 0: none.
 */
export function foreseenWaves(waves: readonly string[], total: number, canaries: number): ForeseenWave[] {
  const reaches: number[] = canaries > 0 && total > 0 ? [Math.min(canaries, total)] : [];
  for (const wave of [...waves, '100%']) {
    const reach = Math.min(hostsOf(wave, total), total);
    if (reach > (reaches.at(-1) ?? 0)) reaches.push(reach);
  }
  return reaches.map((inAll, at) => ({
    wave: at,
    canary: canaries > 0 && at === 0,
    hosts: inAll - (reaches[at - 1] ?? 0),
    inAll,
  }));
}
