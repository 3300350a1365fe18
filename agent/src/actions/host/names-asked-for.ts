/**
 * Kmods that the kernel asks for by their name and not by an alias, as its calls of request_module have them. Seen among the strings of the kmods of
 * 6.1.0-56-cloud-amd64 that make such calls, or of the 6.12 kernel; sch_, cls_, act_ (aliases there), and scsi_dh_ by the source alone. Kmods of
 * these prefixes that are libraries of their family (dm_bufio) are nobody's answer to a name.
 */
const PREFIXES = [
  /** "algif-%s" (crypto/af_alg.c), "tcp_%s" (net/ipv4/tcp_cong.c). */
  'algif',
  'tcp',
  /** "%st_%s", "%stable_%s", "%s%s" (net/netfilter/x_tables.c, net/bridge/netfilter/ebtables.c). */
  'xt',
  'ipt',
  'ip6t',
  'ebt',
  'arpt',
  'iptable',
  'ip6table',
  'ebtable',
  'arptable',
  /** "sch_%s", "cls_%s", "act_%s" (net/sched). */
  'sch',
  'cls',
  'act',
  /** "ip_vs_%s", "ip_vs_pe_%s" (net/netfilter/ipvs). */
  'ip_vs',
  /** "dm-%s", "dm-log-%s", "dm-cache-%s", "dm-exstore-%s" (drivers/md). */
  'dm(?!_(?:mod|bufio|bio_prison|persistent_data|region_hash)$)',
  /** "nls_%s" (fs/nls/nls_base.c), "cpufreq_%s" (drivers/cpufreq/cpufreq.c), "scsi_dh_%s" (drivers/scsi/scsi_dh.c). */
  'nls',
  'cpufreq',
  'scsi_dh',
  /** "nvme-%s" (drivers/nvme/host/fabrics.c). */
  'nvme(?=_(?:tcp|rdma|fc|loop)$)',
  /** Without a pattern (drivers/target/target_core_transport.c, net/rds). */
  'target_core(?=_(?:file|iblock|pscsi|user)$)',
  'rds(?=_(?:rdma|tcp)$)',
];

/** Names that stand in a call as they are. */
const NAMES = [
  'br_netfilter',
  'nf_conntrack_bridge',
  'nf_log_syslog',
  'nfnetlink_log',
  /** "nfsv%d" (fs/nfs/client.c). */
  'nfsv\\d',
  'md_cluster',
  'mlx4_en',
  'mlx4_ib',
  'iscsi_target_mod',
  'tcm_loop',
  'quota_v1',
  'quota_v2',
];

const BY_NAME = new RegExp(`^(?:(?:${PREFIXES.join('|')})_.|(?:${NAMES.join('|')})$)`);

/** Whether the kernel asks for a kmod by this name. */
export function isAskedForByName(kmod: string): boolean {
  return BY_NAME.test(kmod);
}
