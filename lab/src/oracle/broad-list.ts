/**
 * What the oracle loads before it looks: kmods of every class that Debian's cloud kernels have, one line a class. A name that a kernel does not have
 * (or has built in) is skipped. Left out on purpose: mf_stuck_exit (its exit never returns), and what would reset or stop the host by being loaded.
 */
export const BROAD_LIST: readonly string[] = `
  mf_hello mf_base mf_dependent mf_permanent mf_chardev mf_ownerless
  dummy veth bonding tun tap vxlan geneve wireguard macvlan macvtap ipvlan ifb team team_mode_roundrobin vrf nlmon vsockmon macsec 8021q bridge br_netfilter
  ipip sit ip_gre ip6_gre ip6_tunnel ip_vti fou mpls_router mpls_iptunnel openvswitch l2tp_core l2tp_eth l2tp_ip garp stp llc ife psample
  sctp dccp dccp_ipv4 tipc rds rds_tcp rxrpc af_key vsock vsock_loopback tls kcm smc llc2 x25 can can_raw bluetooth 8390 9pnet 9pnet_virtio
  tcp_bbr tcp_bic tcp_htcp tcp_vegas tcp_westwood tcp_diag udp_diag raw_diag inet_diag unix_diag netlink_diag packet_diag
  esp4 esp6 ah4 ah6 ipcomp xfrm_user xfrm_interface xfrm4_tunnel tunnel4 tunnel6
  nf_tables nf_conntrack nf_nat nft_ct nft_nat nft_masq nft_chain_nat nft_log nft_limit nft_reject_inet nft_compat nft_fib_inet nft_numgen nft_quota
  nf_conntrack_ftp nf_nat_ftp nf_conntrack_netlink nf_log_syslog nf_flow_table nf_dup_ipv4 nfnetlink nfnetlink_log nfnetlink_queue nf_conncount
  ip_tables ip6_tables iptable_filter iptable_nat iptable_mangle ip6table_filter ebtables ebtable_filter arp_tables x_tables
  xt_conntrack xt_tcpudp xt_comment xt_LOG xt_MASQUERADE xt_mark xt_multiport xt_state ipt_REJECT xt_limit xt_CT xt_set
  ip_set ip_set_hash_ip ip_set_hash_net ip_set_list_set ip_vs ip_vs_rr ip_vs_wrr ip_vs_ftp
  sch_htb sch_fq sch_sfq sch_tbf sch_prio sch_ingress sch_netem sch_cake sch_red cls_u32 cls_flower cls_bpf cls_matchall act_mirred act_gact act_police act_bpf em_u32
  loop nbd zram brd null_blk dm_mod dm_crypt dm_mirror dm_snapshot dm_thin_pool dm_cache dm_multipath dm_round_robin dm_verity dm_integrity dm_delay dm_flakey dm_zero dm_raid
  md_mod linear raid0 raid1 raid10 raid456 faulty bcache
  overlay squashfs isofs udf fat vfat msdos exfat xfs btrfs erofs romfs fuse cuse nfs nfsv4 nfsd lockd cifs ksmbd ceph 9p virtiofs binfmt_misc configfs autofs4 quota_v2 nls_cp437 nls_utf8 nls_iso8859_1 zonefs
  algif_hash algif_skcipher algif_aead algif_rng aes_ti ansi_cprng authenc blowfish_generic camellia_generic cast6_generic ccm chacha20poly1305 cmac crypto_user cts des_generic drbg echainiv ecdh_generic
  gcm ghash_generic lrw lz4 lzo michael_mic pcbc rmd160 seqiv serpent_generic sha3_generic sha512_generic twofish_generic vmac wp512 xcbc xts zstd crc32_generic crc32c_generic
  aesni_intel ghash_clmulni_intel sha1_ssse3 sha256_ssse3 sha512_ssse3 twofish_x86_64 chacha_x86_64 serpent_sse2_x86_64 crc32_pclmul crct10dif_pclmul
  libcrc32c crc_itu_t crc7 lru_cache ts_bm ts_fsm ts_kmp raid6_pq xor async_tx reed_solomon cordic
  scsi_mod sd_mod sr_mod sg st scsi_debug iscsi_tcp libiscsi scsi_transport_fc virtio_scsi nvme_fabrics nvme_tcp nvmet ata_piix ata_generic libata target_core_mod
  virtio virtio_ring virtio_pci virtio_blk virtio_net virtio_balloon virtio_console virtio_rng virtio_input virtio_mmio rng_core tpm tpm_vtpm_proxy
  cpuid msr softdog pretimeout_noop kvm kvm_intel kvm_amd irqbypass vhost vhost_net vhost_vsock vfio uio uio_pci_generic
  evdev serio_raw button battery ac psmouse i2c_piix4 i2c_smbus qemu_fw_cfg parport parport_pc ppdev pcspkr floppy joydev input_leds ttyprintk
  netconsole pps_core ptp hwmon thermal hangcheck_timer nvram iosf_mbi drm drm_kms_helper cirrus bochs simpledrm
`
  .split(/\s+/)
  .filter((name) => name !== '');
