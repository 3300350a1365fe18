/** One use of a kmod, and what the agent must say of it. */
export interface EvidenceRow {
  /** For people. */
  readonly use: string;
  readonly kmod: string;
  /** Shell lines that make the use; they stay until the host ends. */
  readonly make: string;
  /** Programs that the lines need and a plain full host may not have. */
  readonly needs?: string;
  /** Code that refuses. */
  readonly code: string;
  /** Matches one `kind value` of that verdict's evidence; undefined: nobody can be named. */
  readonly evidence: RegExp;
  /** True: not to be tried for real, as the host would not live on. */
  readonly untried?: boolean;
}

/** An interface of a kind, up. Its kmod counts no reference and goes with all of it. */
const interfaceOf = (kind: string, kmod: string, args = '', over = ''): EvidenceRow => ({
  use: `an interface of kind ${kind} that is up`,
  kmod,
  make: `ip link add ${over} name mf${kmod.slice(0, 8)} type ${kind} ${args}; ip link set mf${kmod.slice(0, 8)} up`,
  code: 'needs_confirm_window',
  evidence: new RegExp(`^interface mf${kmod.slice(0, 8)}`),
});

const socketOf = (what: string, kmod: string, args: string): EvidenceRow => ({
  use: `a socket of ${what}`,
  kmod,
  make: `modprobe ${kmod}; /run/hold ${args} >/dev/null 2>&1 &`,
  code: 'in_use',
  evidence: /^process \d+ \(hold\) has a socket/,
});

/**
 * What may hold a kmod, or be lost with it, row by row (found by experiment on Debian's 6.1 and 6.12 kernels), and who must be named. All are made
 * together on one full host.
 */
export const EVIDENCE_ROWS: readonly EvidenceRow[] = [
  socketOf('TIPC', 'tipc', '30 1 0'),
  socketOf('RDS', 'rds', '21 5 0'),
  socketOf('PF_KEY', 'af_key', '15 3 2'),
  socketOf('vsock', 'vsock', '40 1 0'),
  socketOf('AF_ALG', 'algif_hash', "38 5 0 hash 'sha256'"),
  socketOf('netlink for xfrm', 'xfrm_user', '16 3 6'),
  {
    use: 'none: SCTP holds itself',
    kmod: 'sctp',
    make: 'modprobe sctp',
    code: 'in_use',
    evidence: /^(?:socket protocol SCTP|unseen )/,
  },
  {
    use: 'a cipher under AF_ALG',
    kmod: 'serpent_generic',
    make: "modprobe serpent_generic; modprobe algif_skcipher; /run/hold 38 5 0 skcipher 'ecb(serpent-generic)' >/dev/null 2>&1 &",
    code: 'in_use',
    evidence: /^path \/proc\/crypto: serpent-generic .* users$/,
  },
  {
    use: 'the default congestion control',
    kmod: 'tcp_htcp',
    make: 'modprobe tcp_htcp; echo htcp >/proc/sys/net/ipv4/tcp_congestion_control',
    code: 'in_use',
    evidence: /tcp_congestion_control: htcp$/,
  },
  {
    use: 'a mounted file system',
    kmod: 'overlay',
    make: 'mkdir -p o/a o/b o/c o/d; mount -t overlay -o lowerdir=o/a,upperdir=o/b,workdir=o/c overlay o/d',
    code: 'in_use',
    evidence: /^mount .*\/o\/d \(overlay/,
  },
  {
    use: 'a file system mounted in another mount namespace only',
    kmod: 'binfmt_misc',
    make: 'mkdir -p bm; modprobe binfmt_misc; unshare -m sh -c "mount -t binfmt_misc binfmt_misc bm; exec sleep 100000" &',
    code: 'in_use',
    evidence: /^mount .*\/bm \(binfmt_misc.* in the mount namespace of process \d+/,
  },
  {
    use: 'an open file on a file system that was unmounted lazily',
    kmod: 'configfs',
    make: 'mkdir -p cf; modprobe configfs; mount -t configfs configfs cf; (exec 3<cf; exec sleep 100000) & sleep 1; umount -l cf',
    code: 'in_use',
    evidence: /^process \d+ \(sleep\) has .* open on a file system that is mounted nowhere/,
  },
  {
    use: 'a loop device',
    kmod: 'loop',
    make: 'modprobe loop; dd if=/dev/zero of=disk bs=1M count=8 2>/dev/null; losetup /dev/loop0 disk',
    code: 'in_use',
    evidence: /^block \/dev\/loop0: .*\/disk$/,
  },
  {
    use: 'a device-mapper volume of kind crypt',
    kmod: 'dm_crypt',
    make: `modprobe dm_crypt; echo "0 8192 crypt aes-xts-plain64 ${'0123456789abcdef'.repeat(4)} 0 /dev/loop0 0" | dmsetup create mfcrypt`,
    code: 'in_use',
    evidence: /^block \/dev\/mapper\/mfcrypt \(crypt\)/,
  },
  {
    use: 'a device-mapper volume of kind zero',
    kmod: 'dm_zero',
    make: 'modprobe dm_zero; echo "0 128 zero" | dmsetup create mfzero',
    code: 'in_use',
    evidence: /^block \/dev\/mapper\/mfzero \(zero\)/,
  },
  {
    use: 'a zram disk with a size',
    kmod: 'zram',
    make: 'modprobe zram; echo 8M >/sys/block/zram0/disksize',
    code: 'protected',
    evidence: /^block \/dev\/zram0/,
  },
  {
    use: 'RAM disks',
    kmod: 'brd',
    make: 'modprobe brd rd_nr=1 rd_size=1024',
    code: 'protected',
    evidence: /^block \/dev\/ram0/,
  },
  interfaceOf('dummy', 'dummy'),
  interfaceOf('veth', 'veth', 'peer name mfpeer'),
  interfaceOf('bridge', 'bridge'),
  interfaceOf('vxlan', 'vxlan', 'id 7 dstport 4789 remote 192.0.2.9'),
  interfaceOf('wireguard', 'wireguard'),
  interfaceOf('macvlan', 'macvlan', '', 'link mfdummy'),
  interfaceOf('ifb', 'ifb'),
  interfaceOf('geneve', 'geneve', 'id 8 remote 192.0.2.9'),
  interfaceOf('ipip', 'ipip', 'remote 192.0.2.9'),
  interfaceOf('gre', 'ip_gre', 'remote 192.0.2.9'),
  interfaceOf('team', 'team'),
  {
    use: 'a TUN interface of nobody',
    kmod: 'tun',
    make: 'modprobe tun; ip tuntap add mftun mode tun',
    code: 'in_use',
    evidence: /^interface mftun/,
  },
  {
    use: 'none: it has no exit',
    kmod: 'mf_permanent',
    make: 'modprobe mf_permanent',
    code: 'permanent',
    evidence: /^path \/proc\/modules: \[permanent\]/,
  },
  {
    use: 'a table of nftables without chains',
    kmod: 'nf_tables',
    make: 'modprobe nf_tables; nft add table ip mftable',
    needs: 'nft',
    code: 'needs_confirm_window',
    evidence: /^rule nftables table ip mftable/,
  },
  {
    use: 'a packet filter that nobody can list',
    kmod: 'nf_tables',
    make: 'modprobe nf_tables',
    needs: '!nft',
    code: 'needs_confirm_window',
    evidence: /^unseen tables: not visible without nft/,
  },
  {
    use: 'a queueing discipline',
    kmod: 'sch_htb',
    make: 'tc qdisc add dev mfveth root handle 1: htb',
    code: 'in_use',
    evidence: /^rule qdisc htb 1: dev mfveth/,
  },
  {
    use: 'a filter of traffic control',
    kmod: 'cls_u32',
    make: 'tc filter add dev mfveth parent 1: protocol ip prio 1 u32 match ip dst 192.0.2.1/32 action drop',
    code: 'in_use',
    evidence: /^rule filter on mfveth: /,
  },
  {
    use: 'an action of traffic control',
    kmod: 'act_gact',
    make: ':',
    code: 'in_use',
    evidence: /^rule action on mfveth: /,
  },
  {
    use: 'a state of xfrm',
    kmod: 'esp4',
    make: `ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x101 mode tunnel aead 'rfc4106(gcm(aes))' 0x${'0123456789abcdef'.repeat(2)}01020304 128`,
    code: 'in_use',
    evidence: /^rule xfrm: 1 states? of protocol esp/,
  },
  {
    use: 'an open device file that is counted',
    kmod: 'mf_chardev',
    make: 'modprobe mf_chardev; sleep 1; (exec 3</dev/mf_chardev; exec sleep 100000) &',
    code: 'in_use',
    evidence: /^process \d+ \(sleep\) has \/dev\/mf_chardev open/,
  },
  {
    use: 'an open device file that is not counted',
    kmod: 'mf_ownerless',
    make: 'modprobe mf_ownerless; sleep 1; (exec 3</dev/mf_ownerless; exec sleep 100000) &',
    code: 'protected',
    evidence: /^process \d+ sleep/,
    untried: true, // the kernel oopses when the file is closed
  },
  {
    use: 'an armed watchdog',
    kmod: 'softdog',
    make: 'modprobe softdog soft_margin=3600; sleep 1; (exec 3>/dev/watchdog0; exec sleep 100000) &',
    code: 'protected',
    evidence: /^path .*(?:Software Watchdog|watchdog)/,
  },
  {
    use: 'another kmod',
    kmod: 'mf_base',
    make: 'modprobe mf_dependent',
    code: 'held_by',
    evidence: /^kmod mf_dependent/,
  },
];
