import type { HostKind, HostNetwork, KernelSeries, RootDisk } from '../types.ts';

/** One kind of lab host on one kernel. */
export interface OracleHost {
  readonly label: string;
  readonly kind: HostKind;
  readonly series: KernelSeries;
  readonly network: HostNetwork;
  readonly rootDisk: RootDisk;
}

/** What narrows the oracle. */
export interface OracleChoice {
  readonly kinds: readonly HostKind[];
  readonly series: readonly KernelSeries[];
  readonly network: HostNetwork | undefined;
}

/** Every kind of lab host on every series: the fast one, and full ones with each network; the bonded one has its root on device-mapper. */
export function oracleHosts({ kinds, series, network }: OracleChoice): OracleHost[] {
  return series.flatMap((one): OracleHost[] => [
    ...(kinds.includes('fast') && network === undefined
      ? [
          {
            label: `fast ${one}`,
            kind: 'fast' as const,
            series: one,
            network: 'networkd' as const,
            rootDisk: 'plain' as const,
          },
        ]
      : []),
    ...(kinds.includes('full')
      ? (['networkd', 'ifupdown', 'vlan-bond'] as const)
          .filter((each) => network === undefined || each === network)
          .map((each): OracleHost => {
            const rootDisk = each === 'vlan-bond' ? 'dm-linear' : 'plain';
            return { label: `full ${one} ${each} ${rootDisk}`, kind: 'full', series: one, network: each, rootDisk };
          })
      : []),
  ]);
}
