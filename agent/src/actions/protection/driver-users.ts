import type { HostFiles } from '../../host/host-files.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { type Support, supportsOfDevice } from './device-chain.ts';

/**
 * Cores of what a card may be beside a network card: a kmod that uses one of them and the card's driver makes the other half (mlx5_ib, irdma,
 * mlx5_vdpa, cxgb4i), not the interface.
 */
const OTHER_HALVES = [
  'ib_core',
  'vdpa',
  'fwctl',
  'libiscsi',
  'libcxgbi',
  'libfc',
  'scsi_transport_fc',
  'target_core_mod',
];

/** Loaded kmods that use an interface's driver. */
export interface DriverUsers {
  /** Those that make the interface together with it (iwlmvm with iwlwifi, mlx4_en with mlx4_core). */
  readonly parts: readonly Support[];
  readonly others: readonly Support[];
}

/** What a card stands on, and who uses its driver. `device`: its real folder. */
export async function supportsOfCard(
  files: HostFiles,
  device: string,
  modules: readonly ProcModule[],
  rdma: boolean,
): Promise<DriverUsers & { readonly hardware: readonly Support[] }> {
  const hardware = await supportsOfDevice(files, device);
  const driver = hardware.find((support) => support.seenAt === `${device}/driver/module`);
  return { hardware, ...driverUsers(driver, modules, rdma) };
}

/**
 * Who uses the driver that a card is bound to, directly or not: with drivers of two kmods it is a user that makes the interface, and sysfs names
 * only the other. `rdma`: the interface is one over InfiniBand, which RDMA kmods make.
 */
function driverUsers(driver: Support | undefined, modules: readonly ProcModule[], rdma: boolean): DriverUsers {
  if (driver === undefined) return { parts: [], others: [] };
  const usersOf = (kmod: string): readonly string[] => modules.find((module) => module.name === kmod)?.users ?? [];
  const other = new Set(OTHER_HALVES.flatMap((core) => (rdma && core === 'ib_core' ? [] : usersOf(core))));
  // A user of the other half belongs to it.
  const found = new Map<string, string>();
  const pending = [driver.kmod];
  for (let used = pending.pop(); used !== undefined; used = pending.pop()) {
    for (const user of usersOf(used)) {
      if (found.has(user) || user === driver.kmod) continue;
      found.set(user, used);
      if (other.has(used)) other.add(user);
      pending.push(user);
    }
  }
  const supports = [...found].map(([kmod, used]): Support => ({ kmod, seenAt: `/proc/modules: ${kmod} uses ${used}` }));
  return {
    parts: supports.filter(({ kmod }) => !other.has(kmod)),
    others: supports.filter(({ kmod }) => other.has(kmod)),
  };
}
