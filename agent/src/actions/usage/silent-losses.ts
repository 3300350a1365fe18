import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { evidence, type Stake } from '../findings/facts.ts';
import type { OpenDevice } from './open-devices.ts';
import type { ToolLists } from './tool-lists.ts';

/** What is asked about one kmod whose reference count is 0. */
export interface SilentLossContext {
  readonly files: HostFiles;
  readonly kmod: string;
  readonly openDevices: readonly OpenDevice[];
  /** Asked only where they can say something. */
  readonly tools: () => Promise<ToolLists>;
}

/** What a reference count of 0 hides, and no load brings back (kernel-facts: "refcount and what breaks"). */
export async function dataStakes(context: SilentLossContext): Promise<Stake[]> {
  const { files, kmod, openDevices } = context;
  const open: Stake[] = openDevices.map((one) => ({
    kind: 'data',
    message: `${one.node} of ${kmod} is open in process ${one.pid} (${one.command}), and ${kmod} does not count it: the kernel would oops at its close`,
    evidence: [evidence('process', `${one.pid} ${one.command}`), evidence('path', one.node)],
  }));
  switch (kmod) {
    case 'zram':
      return [...open, ...(await memoryDisks(files, kmod, 'disksize'))];
    case 'brd':
      return [...open, ...(await memoryDisks(files, 'ram', 'size'))];
    case 'nf_tables':
      return [...open, ...tableStakes(await context.tools())];
    default:
      return open;
  }
}

/** Disks whose content is in the kmod's own memory. */
async function memoryDisks(files: HostFiles, prefix: string, attribute: string): Promise<Stake[]> {
  const stakes: Stake[] = [];
  for (const { name } of valueOf(await files.list('/sys/block')) ?? []) {
    if (!name.startsWith(prefix)) continue;
    const size = Number(valueOf(await files.readText(`/sys/block/${name}/${attribute}`))?.trim() ?? '0');
    if (size === 0) continue;
    const unit = attribute === 'size' ? 'sectors' : 'bytes of disk size';
    stakes.push({
      kind: 'data',
      message: `/dev/${name} may hold data (${size} ${unit}), which would be lost`,
      evidence: [evidence('block', `/dev/${name}`), evidence('path', `/sys/block/${name}/${attribute}: ${size}`)],
    });
  }
  return stakes;
}

/** A table without chains counts no reference. */
function tableStakes({ nftTables }: ToolLists): Stake[] {
  if (nftTables === undefined) {
    const message =
      'nf_tables may hold tables that count no reference; they would be lost, and they are not visible without nft';
    const shown = [evidence('unseen', 'tables: not visible without nft')];
    return [{ kind: 'interface', restorable: false, message, evidence: shown }];
  }
  const names = nftTables.map((text) => /^table (\S+ \S+)/.exec(text)?.[1] ?? '').filter((name) => name !== '');
  if (names.length === 0) return [];
  return [
    {
      kind: 'interface',
      restorable: false,
      message: `nf_tables holds the tables ${names.join(', ')}, which would be lost`,
      evidence: names.map((name) => evidence('rule', `nftables table ${name}`)),
    },
  ];
}
