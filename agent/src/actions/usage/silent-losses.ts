import type { HostFiles } from '../../host/host-files.ts';
import { whyUnreadable } from '../../host/read-outcome.ts';
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

/** Disks whose content is in the kmod's own memory. What vanishes meanwhile is none; what cannot be read may hold data. */
async function memoryDisks(files: HostFiles, prefix: string, attribute: string): Promise<Stake[]> {
  const disks = await files.list('/sys/block');
  if (disks.kind === 'not_found') return [];
  if (disks.kind !== 'ok') return [unseenDisk(`a disk of ${prefix}`, whyUnreadable('/sys/block', disks))];
  const stakes: Stake[] = [];
  for (const { name } of disks.value) {
    if (!name.startsWith(prefix)) continue;
    const path = `/sys/block/${name}/${attribute}`;
    const size = await files.readText(path);
    if (size.kind === 'not_found') continue;
    if (size.kind !== 'ok') {
      stakes.push(unseenDisk(`/dev/${name}`, whyUnreadable(path, size)));
      continue;
    }
    const shown = size.value.trim();
    if (Number(shown) === 0) continue;
    const unit = attribute === 'size' ? 'sectors' : 'bytes of disk size';
    stakes.push({
      kind: 'data',
      message: `/dev/${name} may hold data (${shown} ${unit}), which would be lost`,
      evidence: [evidence('block', `/dev/${name}`), evidence('path', `${path}: ${shown}`)],
    });
  }
  return stakes;
}

function unseenDisk(what: string, why: string): Stake {
  return {
    kind: 'data',
    message: `${what} may hold data, which would be lost: ${why}`,
    evidence: [evidence('unseen', why)],
  };
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
