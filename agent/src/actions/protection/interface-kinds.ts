import type { ResolveAlias } from './storage.ts';

/** Kinds of the kernel's own tree whose kmod is not called after them (MODULE_ALIAS_RTNL_LINK in drivers/net and net). */
const OTHERWISE_CALLED: Readonly<Record<string, string>> = {
  bond: 'bonding',
  vlan: '8021q',
  gre: 'ip_gre',
  gretap: 'ip_gre',
  erspan: 'ip_gre',
  ip6gre: 'ip6_gre',
  ip6gretap: 'ip6_gre',
  ip6erspan: 'ip6_gre',
  ip6tnl: 'ip6_tunnel',
  vti: 'ip_vti',
  vti6: 'ip6_vti',
  xfrm: 'xfrm_interface',
  ipoib: 'ib_ipoib',
  batadv: 'batman_adv',
};

/** Kinds of the kernel's own tree whose kmod is. */
const CALLED_ALIKE = new Set(
  'bridge dummy ifb veth vrf tun macvlan macvtap ipvlan ipvtap vxlan geneve gtp bareudp wireguard team macsec nlmon vcan vxcan hsr ipip sit openvswitch netdevsim amt ovpn'.split(
    ' ',
  ),
);

/** The kmods that make interfaces of a kind. */
export interface KmodsOfKind {
  readonly kmods: readonly string[];
  /** Not a guess. */
  readonly sure: boolean;
}

/**
 * `rtnl-link-KIND` is the alias by which the kernel asks for a kind. Without depmod's index the kernel's own kinds are still known; of others the
 * kind's name is a guess.
 */
export function kmodsOfKind(kind: string, resolve: ResolveAlias, indexed: boolean): KmodsOfKind {
  const names = resolve(`rtnl-link-${kind}`);
  if (names.length > 0) return { kmods: names, sure: true };
  const own = OTHERWISE_CALLED[kind] ?? (CALLED_ALIKE.has(kind) ? kind : undefined);
  return own === undefined ? { kmods: [kind.replaceAll('-', '_')], sure: indexed } : { kmods: [own], sure: true };
}

const KERNELS_OWN = new Set([...Object.values(OTHERWISE_CALLED), ...CALLED_ALIKE]);

/** Whether a kmod makes interfaces of some kind; undefined: it is none of the kernel's own that do, and without depmod's index nobody says more. */
export function makesInterfaces(
  kmod: string,
  aliases: readonly { readonly kmod: string; readonly pattern: string }[],
  indexed: boolean,
): boolean | undefined {
  if (aliases.some((alias) => alias.kmod === kmod && alias.pattern.startsWith('rtnl_link_'))) return true;
  return KERNELS_OWN.has(kmod) ? true : indexed ? false : undefined;
}
