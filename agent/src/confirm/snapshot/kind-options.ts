import { names } from '../../exec/ip-json.ts';

/*
 * What a virtual link is made with: which fields of `ip -d -j link` are options, under which word `ip link` takes them, and which value they have
 * without being given. What has its usual value is not given: kernels refuse some options in some modes whatever the value
 * (drivers/net/bonding/bond_options.c, unsuppmodes), and older ones do not know all of them. Fields that are not here are compared all the same.
 */

/** One option. */
export interface Option {
  /** As `ip link` takes it, where that is not the name under which it is shown. */
  readonly word?: string;
  /** The value of a link for which it was not given; without one it is always given. */
  readonly usual?: string;
  /** Modes of the link in which it may be given; without them all. */
  readonly modes?: readonly string[];
  /** `flag`: a word alone. `list`: each part is a word. */
  readonly form?: 'flag' | 'list';
}

/** Those of one kind of link. */
export interface KindOptions {
  readonly options: Readonly<Record<string, Option>>;
  /** Set once the members are there; their values are names of links. */
  readonly later?: readonly string[];
  /** What changes by itself, and what follows from others. */
  readonly states?: readonly string[];
}

/** Those of a member. */
interface MemberOptions {
  readonly words: Readonly<Record<string, string>>;
  readonly states: ReadonlySet<string>;
}

const usual = (value: string, more: Option = {}): Option => ({ usual: value, ...more });

const ARP_MODES = { modes: ['balance-rr', 'active-backup', 'balance-xor', 'broadcast'] };
const AD_MODE = { modes: ['802.3ad'] };

/** ip/iplink_bond.c of iproute2; values of `bond_opts` in drivers/net/bonding/bond_options.c. */
const BOND: KindOptions = {
  options: {
    mode: {},
    miimon: usual('0'),
    updelay: usual('0'),
    downdelay: usual('0'),
    peer_notify_delay: usual('0'),
    use_carrier: usual('1'),
    arp_interval: usual('0', ARP_MODES),
    arp_missed_max: usual('2', ARP_MODES),
    arp_ip_target: usual('', ARP_MODES),
    ns_ip6_target: usual('', ARP_MODES),
    arp_validate: usual('none', ARP_MODES),
    arp_all_targets: usual('any'),
    primary_reselect: usual('always'),
    fail_over_mac: usual('none'),
    xmit_hash_policy: usual('layer2'),
    resend_igmp: usual('1'),
    num_peer_notif: usual('1', { word: 'num_grat_arp' }),
    all_slaves_active: usual('0'),
    min_links: usual('0'),
    lp_interval: usual('1'),
    packets_per_slave: usual('1', { modes: ['balance-rr'] }),
    ad_lacp_active: usual('on', { word: 'lacp_active', ...AD_MODE }),
    ad_lacp_rate: usual('slow', { word: 'lacp_rate', ...AD_MODE }),
    coupled_control: usual('on', AD_MODE),
    broadcast_neighbor: usual('off', AD_MODE),
    ad_select: usual('stable'),
    ad_actor_sys_prio: usual('65535', AD_MODE),
    ad_user_port_key: usual('0', AD_MODE),
    ad_actor_system: usual('00:00:00:00:00:00', AD_MODE),
    tlb_dynamic_lb: usual('1', { modes: ['balance-tlb', 'balance-alb'] }),
  },
  later: ['primary', 'active_slave'],
  states: ['ad_info'],
};

/** Modes of a bond that cannot be without miimon: the kernel turns it on when none is given, so theirs always is. */
export const MIIMON_MODES = ['802.3ad', 'balance-tlb', 'balance-alb'];

/** ip/iplink_bridge.c of iproute2; values of net/bridge/br_device.c and br_multicast.c. */
const BRIDGE: KindOptions = {
  options: {
    forward_delay: usual('1500'),
    hello_time: usual('200'),
    max_age: usual('2000'),
    ageing_time: usual('30000'),
    stp_state: usual('0'),
    priority: usual('32768'),
    vlan_filtering: usual('0'),
    vlan_protocol: usual('802.1Q'),
    vlan_default_pvid: usual('1'),
    vlan_stats_enabled: usual('0'),
    vlan_stats_per_port: usual('0'),
    group_fwd_mask: usual('0'),
    group_addr: usual('01:80:c2:00:00:00', { word: 'group_address' }),
    mcast_snooping: usual('1'),
    no_linklocal_learn: usual('0'),
    mcast_vlan_snooping: usual('0'),
    mst_enabled: usual('0'),
    mcast_router: usual('1'),
    mcast_query_use_ifaddr: usual('0'),
    mcast_querier: usual('0'),
    mcast_hash_elasticity: usual('16'),
    mcast_hash_max: usual('4096'),
    mcast_last_member_cnt: usual('2', { word: 'mcast_last_member_count' }),
    mcast_startup_query_cnt: usual('2', { word: 'mcast_startup_query_count' }),
    mcast_last_member_intvl: usual('100', { word: 'mcast_last_member_interval' }),
    mcast_membership_intvl: usual('26000', { word: 'mcast_membership_interval' }),
    mcast_querier_intvl: usual('25500', { word: 'mcast_querier_interval' }),
    mcast_query_intvl: usual('12500', { word: 'mcast_query_interval' }),
    mcast_query_response_intvl: usual('1000', { word: 'mcast_query_response_interval' }),
    mcast_startup_query_intvl: usual('3124', { word: 'mcast_startup_query_interval' }),
    mcast_stats_enabled: usual('0'),
    mcast_igmp_version: usual('2'),
    mcast_mld_version: usual('1'),
    nf_call_iptables: usual('0'),
    nf_call_ip6tables: usual('0'),
    nf_call_arptables: usual('0'),
    fdb_max_learned: usual('0'),
  },
  states: [
    'bridge_id',
    'root_id',
    'root_port',
    'root_path_cost',
    'topology_change',
    'topology_change_detected',
    'hello_timer',
    'tcn_timer',
    'topology_change_timer',
    'gc_timer',
    'fdb_n_learned',
    'mcast_querier_state',
  ],
};

export const VLAN_FLAGS = ['gvrp', 'mvrp', 'loose_binding', 'bridge_binding'];

const VLAN: KindOptions = {
  options: {
    protocol: {},
    id: {},
    reorder_hdr: usual('on'),
    ...Object.fromEntries(VLAN_FLAGS.map((flag) => [flag, usual('off')])),
    ingress_qos: usual('', { word: 'ingress-qos-map', form: 'list' }),
    egress_qos: usual('', { word: 'egress-qos-map', form: 'list' }),
  },
};

/** Kinds that `ip link add` makes again; of others nothing is known here. */
export const KINDS: Readonly<Record<string, KindOptions>> = {
  vlan: VLAN,
  bond: BOND,
  bridge: BRIDGE,
  dummy: { options: {} },
  ifb: { options: {} },
  macvlan: {
    options: {
      mode: {},
      nopromisc: usual('', { form: 'flag' }),
      nodst: usual('', { form: 'flag' }),
      bcqueuelen: usual('1000'),
      bclim: usual('1'),
    },
    states: ['usedbcqueuelen'],
  },
  ipvlan: {
    options: {
      mode: {},
      bridge: usual('on', { form: 'flag' }),
      private: usual('', { form: 'flag' }),
      vepa: usual('', { form: 'flag' }),
    },
  },
  vrf: { options: { table: {} } },
};

const BRIDGE_PORT = names(
  'priority cost hairpin guard root_block fastleave learning flood proxy_arp proxy_arp_wifi mcast_flood bcast_flood',
  'mcast_to_unicast neigh_suppress neigh_vlan_suppress vlan_tunnel isolated locked mab backup_port mcast_max_groups',
);

/** What a member of a bond or bridge shows of itself: under which word it is set, and what changes by itself. */
export const MEMBERS: Readonly<Record<string, MemberOptions>> = {
  bond: {
    words: { queue_id: 'queue_id', prio: 'prio' },
    states: names(
      'state mii_status link_failure_count perm_hwaddr ad_aggregator_id ad_actor_oper_port_state',
      'ad_actor_oper_port_state_str ad_partner_oper_port_state ad_partner_oper_port_state_str',
    ),
  },
  bridge: {
    words: {
      ...Object.fromEntries([...BRIDGE_PORT].map((name) => [name, name])),
      multicast_router: 'mcast_router',
      group_fwd_mask_str: 'group_fwd_mask',
    },
    states: names(
      'state id no designated_port designated_cost bridge_id root_id hold_timer message_age_timer',
      'forward_delay_timer topology_change_ack config_pending group_fwd_mask mcast_n_groups',
    ),
  },
};
