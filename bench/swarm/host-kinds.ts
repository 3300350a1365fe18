import { pick, type Random, weighted } from './random.ts';
import { seededRandom } from '../../tests/e2e/support/seeded-random.ts';

/** What a machine is for: which kmods it has beyond those of every machine. */
export interface HostKind {
  readonly role: string;
  /** How many of a hundred hosts are of this kind. */
  readonly share: number;
  readonly kmods: readonly string[];
}

/** On every machine. */
export const CORE = [
  'ext4',
  'virtio_net',
  'virtio_blk',
  'virtio_console',
  'virtio_rng',
  'virtio_balloon',
  'net_failover',
  'failover',
  'aesni_intel',
  'ghash_clmulni_intel',
  'sha512_ssse3',
  'sha256_ssse3',
  'fuse',
  'loop',
  'dm_mod',
  'configfs',
  'efi_pstore',
  'autofs4',
  'evdev',
  'serio_raw',
  'button',
  'rapl',
  'nf_tables',
  'nfnetlink_queue',
  'nft_ct',
  'nft_reject_inet',
  'nf_conntrack',
  'binfmt_misc',
  'sunrpc',
  'vfat',
  'nls_ascii',
  'nls_cp437',
  'sg',
  'sr_mod',
  'sd_mod',
  'hid_generic',
  'crc32c_intel',
  'crc32_pclmul',
  'crct10dif_pclmul',
  'msr',
  'tcp_bbr',
  'sch_fq',
  'softdog',
] as const;

export const HOST_KINDS: readonly HostKind[] = [
  {
    role: 'web',
    share: 45,
    kmods: [
      'nft_limit',
      'nft_log',
      'nft_nat',
      'xt_conntrack',
      'ip_tables',
      'iptable_filter',
      'overlay',
      'br_netfilter',
      'bridge',
      'veth',
    ],
  },
  { role: 'db', share: 15, kmods: ['xfs', 'dm_multipath', 'dm_snapshot', 'nvme', 'raid1', 'md_mod', 'algif_skcipher'] },
  {
    role: 'storage',
    share: 8,
    kmods: [
      'nfsd',
      'nfs',
      'nfsv4',
      'dm_thin_pool',
      'raid456',
      'raid10',
      'iscsi_tcp',
      'libiscsi',
      'ceph',
      'bcache',
      'dm_crypt',
    ],
  },
  {
    role: 'kvm',
    share: 8,
    kmods: [
      'kvm',
      'kvm_amd',
      'vhost_net',
      'vhost',
      'tun',
      'macvtap',
      'vfio_pci',
      'openvswitch',
      'vsock',
      'bonding',
      '8021q',
    ],
  },
  {
    role: 'router',
    share: 6,
    kmods: [
      'esp4',
      'esp6',
      'xfrm_user',
      'wireguard',
      'vxlan',
      'ip_gre',
      'bonding',
      '8021q',
      'ip_vs',
      'ip_vs_rr',
      'mpls_router',
      'sch_htb',
      'cls_u32',
    ],
  },
  {
    role: 'k8s',
    share: 14,
    kmods: [
      'overlay',
      'br_netfilter',
      'bridge',
      'veth',
      'vxlan',
      'xt_set',
      'ip_set',
      'ip_set_hash_ip',
      'ip_set_hash_net',
      'ip_vs',
      'ip_vs_wrr',
      'xt_comment',
      'xt_mark',
      'xt_multiport',
      'xt_addrtype',
      'xt_MASQUERADE',
      'iptable_nat',
      'iptable_mangle',
      'geneve',
    ],
  },
  { role: 'cache', share: 4, kmods: ['zram', 'lz4', 'nbd', 'tcp_htcp'] },
];

/** On a few machines each: what people have loaded once and forgotten. */
export const RARE = [
  'sctp',
  'dccp',
  'rds',
  'tipc',
  'l2tp_core',
  'af_key',
  'algif_aead',
  'algif_hash',
  'algif_rng',
  'rxrpc',
  'dummy',
  'ifb',
  'macvlan',
  'ipvlan',
  'team',
  'vrf',
  'ipip',
  'sit',
  'btrfs',
  'exfat',
  'isofs',
  'squashfs',
  'cifs',
  '9p',
  'st',
  'nvme_tcp',
  'dm_verity',
  'dm_raid',
  'raid0',
  'i2c_dev',
  'cpuid',
  'nft_masq',
  'nfnetlink_log',
  'act_mirred',
  'xts',
  'ccm',
  'chacha20poly1305',
  'vhost_vsock',
  'quota_v2',
  'floppy',
] as const;

const ENVIRONMENTS = ['prod', 'staging', 'dev'] as const;
const SITES = ['ams1', 'fra2', 'sin1', 'iad3'] as const;
/** How many forgotten kmods a machine has. */
const RARE_COUNTS = [55, 25, 12, 5, 3] as const;

/** One machine of a fleet. */
export interface HostPlan {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Asked for, in order; their dependencies come along. */
  readonly kmods: readonly string[];
}

/** The random numbers of one machine. */
export function hostRandom(seed: number, number: number): Random {
  return seededRandom(seed * 1_000_003 + number);
}

/** Labels as one text. */
export function labelsKey(labels: HostPlan['labels']): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(',');
}

/** The machine of this number. The same for the same random numbers. */
export function planHost(number: number, random: Random): HostPlan {
  const kind =
    HOST_KINDS[
      weighted(
        random,
        HOST_KINDS.map(({ share }) => share),
      )
    ] ?? pick(random, HOST_KINDS);
  const rare = Array.from({ length: weighted(random, RARE_COUNTS) }, () => pick(random, RARE));
  const environment = ENVIRONMENTS[weighted(random, [70, 20, 10])] ?? 'prod';
  return {
    name: `${kind.role}-${String(number).padStart(5, '0')}`,
    labels: { env: environment, role: kind.role, site: pick(random, SITES) },
    kmods: [...CORE, ...kind.kmods, ...rare],
  };
}
