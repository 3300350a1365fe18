import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { bootHost, type KernelSeries } from '../../lab/src/lab.ts';
import { repository } from '../../scripts/lib/paths.ts';
import { writeCapturedFile } from './captured-file.ts';
import { CAPTURED_FOLDER } from './captured-kernel.ts';

/** Kmods of every walk of life; each is loaded with what it needs, and the host is captured with all of them loaded. */
const LOADED = `
  8021q bonding bridge team dummy ifb macvlan macvtap ipvlan vxlan geneve tun veth vrf wireguard
  nf_tables nft_ct nft_nat nft_masq nft_reject_inet nft_log nft_limit nft_chain_nat nf_conntrack nf_nat nfnetlink_queue nfnetlink_log
  ip_tables iptable_filter iptable_nat iptable_mangle ip6_tables ip6table_filter xt_conntrack xt_MASQUERADE xt_comment xt_multiport xt_mark
  xt_addrtype xt_set ip_set ip_set_hash_ip ip_set_hash_net ip_vs ip_vs_rr ip_vs_wrr br_netfilter sch_fq sch_htb sch_ingress cls_u32 act_mirred
  tcp_bbr tcp_htcp sctp dccp rds tipc l2tp_core pppoe rxrpc af_key esp4 esp6 ah4 xfrm_user xfrm_interface algif_aead algif_hash algif_skcipher algif_rng
  openvswitch mpls_router ip_gre ip6_gre ipip sit ip_tunnel
  ext4 xfs btrfs f2fs vfat exfat isofs squashfs overlay fuse cifs nfs nfsd nfsv4 autofs4 9p ceph quota_v2
  dm_mod dm_crypt dm_mirror dm_snapshot dm_thin_pool dm_multipath dm_raid dm_verity md_mod raid0 raid1 raid10 raid456 loop nbd zram bcache
  nvme nvme_core nvme_fabrics nvme_tcp scsi_transport_iscsi iscsi_tcp libiscsi scsi_transport_fc virtio_scsi sd_mod sr_mod sg st ahci libata
  mpt3sas megaraid_sas virtio_net virtio_blk virtio_console virtio_rng virtio_balloon virtio_gpu vsock vmw_vsock_virtio_transport
  e1000 e1000e igb igbvf ixgbe ixgbevf i40e ice tg3 bnxt_en mlx4_core mlx5_core ena gve vmxnet3 hv_netvsc hv_storvsc xen_netfront
  kvm kvm_intel kvm_amd vhost vhost_net vhost_vsock vfio vfio_pci irqbypass
  aesni_intel ghash_clmulni_intel sha512_ssse3 sha256_ssse3 chacha20poly1305 xts ccm gcm cmac ctr cbc lz4 zstd
  softdog iTCO_wdt i6300esb watchdog ipmi_si ipmi_devintf ipmi_msghandler acpi_ipmi i2c_i801 i2c_smbus i2c_dev lpc_ich
  usb_storage uas xhci_hcd ehci_hcd hid_generic usbhid usbcore evdev psmouse serio_raw joydev input_leds button
  drm drm_kms_helper ttm cirrus bochs qxl ast mgag200 fb_sys_fops
  intel_rapl_msr intel_rapl_common rapl intel_cstate intel_uncore coretemp msr cpuid crc32_pclmul crct10dif_pclmul crc32c_intel edac_core
  efi_pstore efivarfs configfs nls_ascii nls_cp437 nls_utf8 binfmt_misc sunrpc dca mii libphy ptp pps_core failover net_failover
  floppy parport_pc ppdev pcspkr snd snd_pcm snd_hda_intel`
  .split(/\s+/)
  .filter((name) => name !== '');

const CAPTURE = readFileSync(join(repository, 'agent/testdata/capture.sh'), 'utf8');

/** Boots a lab host of this series, loads many kmods, and writes what the agent reads of it: the tree, and the facet `available`. */
export async function capture(series: KernelSeries): Promise<void> {
  const host = await bootHost({ name: `capture-${series.replace('.', '-')}`, kind: 'full', series, memMb: 1024 });
  try {
    await host.settled();
    const { stdout } = await host.run(
      `for one in ${LOADED.join(' ')}; do modprobe "$one" || echo "$one"; done 2>/dev/null`,
      {
        timeoutMs: 900_000,
      },
    );
    console.log(`${series}: not there: ${stdout.trim().split('\n').join(' ')}`);
    await host.writeFile('/run/capture.sh', CAPTURE);
    await host.must('sh /run/capture.sh /run/tree', { timeoutMs: 900_000 });
    await host.must(
      'tar -C /run/tree --sort=name --mtime=@0 --owner=0 --group=0 -cf - . | gzip -9n > /run/tree.tar.gz',
    );
    await host.must(
      'modfleet-agent collect-available --root / --release "$(uname -r)" | gzip -9n > /run/available.gz',
      {
        timeoutMs: 1_800_000,
      },
    );
    const brought = async (name: string): Promise<Buffer> =>
      Buffer.from(await host.must(`base64 -w0 /run/${name}`), 'base64');
    mkdirSync(CAPTURED_FOLDER, { recursive: true });
    writeCapturedFile(
      join(CAPTURED_FOLDER, `debian-${series}.json.gz`),
      await brought('tree.tar.gz'),
      gunzipSync(await brought('available.gz')),
    );
    console.log(`${series}: ${await host.must('wc -l < /proc/modules')} kmods loaded`);
  } finally {
    await host.kill();
  }
}
