import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabHost } from '../host/lab-host.ts';
import { putFile } from '../host/put-file.ts';
import { folderContents } from '../image/content-key.ts';
import { labKernel } from '../image/kernel.ts';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import { KERNEL_SERIES, type KernelSeries, type Progress } from '../types.ts';
import { takeVerdicts, tryLoad } from './guest.ts';
import { type Judged, judgeLoad, type VerdictSeen } from './predict.ts';
import { bootForOracle } from './unload-oracle.ts';

/** What the kernel is told before it is asked. */
export const LOAD_CONDITIONS = ['nothing', 'sig_enforce', 'lockdown', 'modules_disabled'] as const;

/** One of them. */
export type LoadCondition = (typeof LOAD_CONDITIONS)[number];

const COMMAND_LINE: Readonly<Record<LoadCondition, string>> = {
  nothing: '',
  sig_enforce: 'module.sig_enforce=1',
  lockdown: 'lockdown=integrity',
  // Switched on after the boot, as the host itself needs kmods to boot.
  modules_disabled: '',
};

/** Refused by the kernel itself, on every host of this oracle. */
const BLACKLISTED = 'ifb';

/** Loads without parameters; each line says what it is there for. */
const PLAIN: readonly string[] = [
  'dummy', // signed, needs nothing
  'vxlan', // signed, with dependencies
  'xt_LOG', // a soft dependency shipped with it
  'sctp',
  'udf',
  'algif_hash',
  'raid1',
  'mf_hello', // unsigned
  'mf_dependent', // unsigned, and so is what it needs; packed files
  'mf_chardev', // made for another kernel (see spoil)
  'mf_permanent', // uses a symbol that nobody has (see spoil)
  'mf_ownerless', // in depmod's index, and its file is gone (see spoil)
  'mf_nothing', // unknown
  'ext4', // built in
  'ipv6',
  'virtio_net', // loaded
  'virtio_blk',
  BLACKLISTED,
];

/** Loads with parameters. */
const WITH_PARAMETERS: readonly (readonly [kmod: string, parameters: readonly string[]])[] = [
  ['mf_hello', ['times=3', 'numbers=1,2,3', 'loud=y', 'whom=you']],
  ['mf_hello', ['times=abc']],
  ['mf_hello', ['times=99999999999']],
  ['mf_hello', ['loud=maybe']],
  ['mf_hello', ['numbers=1,x']],
  ['mf_hello', ['no_such=1']],
  ['loop', ['max_loop=2']],
];

const extraFolder = (modulesRoot: string, release: string): string =>
  join(modulesRoot, 'lib/modules', release, 'extra');

/**
 * Three kmods of the host are made bad in ways that depmod's index does not tell: a file built for the other series, a file that uses a symbol of a
 * kmod that its index entry does not name, and no file at all.
 */
async function spoil(host: LabHost, series: KernelSeries, progress: Progress): Promise<void> {
  const sources = await folderContents(labPaths.kmodSources);
  const [own, other] = await Promise.all(
    [series, ...KERNEL_SERIES.filter((one) => one !== series)].map((one) => labKernel(one, sources, progress)),
  );
  if (own === undefined || other === undefined) return;
  const foreign = await readFile(join(extraFolder(other.modulesRoot, other.release), 'mf_chardev.ko'));
  const packed = join(extraFolder(own.modulesRoot, own.release), 'mf_dependent.ko.zst');
  const orphan = Buffer.from(await runProgram('sh', ['-c', 'zstd -dcq "$1" | base64 -w 0', 'sh', packed]), 'base64');
  const folder = `/lib/modules/${host.kernelRelease}/extra`;
  await putFile(host, `${folder}/mf_chardev.ko`, foreign);
  await putFile(host, `${folder}/mf_permanent.ko`, orphan);
  await host.must(`rm ${folder}/mf_ownerless.ko`);
}

/** Every load under one condition, each from the same state: what came is taken away again. */
export async function loadOracle(
  series: KernelSeries,
  conditions: readonly LoadCondition[],
  only: readonly string[] | undefined,
  progress: Progress,
): Promise<ReadonlyMap<LoadCondition, readonly Judged[]>> {
  const found = new Map<LoadCondition, readonly Judged[]>();
  const kind = { label: '', kind: 'fast', series, network: 'networkd', rootDisk: 'plain' } as const;
  for (const condition of conditions) {
    const cmdlineExtra = `module_blacklist=${BLACKLISTED} ${COMMAND_LINE[condition]}`.trim();
    const name = `oracle-load-${series.replace('.', '-')}-${condition.replaceAll('_', '-')}`;
    await using host = await bootForOracle(kind, name, progress, { cmdlineExtra });
    await spoil(host, series, progress);
    if (condition === 'modules_disabled') await host.must('echo 1 >/proc/sys/kernel/modules_disabled');
    progress(`load ${series}, ${condition}: taking verdicts`);
    found.set(condition, await judgeLoads(host, condition, only));
  }
  return found;
}

async function judgeLoads(
  host: LabHost,
  condition: LoadCondition,
  only: readonly string[] | undefined,
): Promise<Judged[]> {
  const wanted = (kmod: string): boolean => only === undefined || only.includes(kmod);
  const plain = await takeVerdicts(host, 'load', PLAIN.filter(wanted));
  const judged: Judged[] = [];
  for (const verdict of plain) judged.push(await judgeOne(host, verdict, []));
  // Values are read after signatures: what is refused for those is refused for these as well.
  const withParameters = condition === 'nothing' ? WITH_PARAMETERS : WITH_PARAMETERS.slice(0, 2);
  for (const [kmod, parameters] of withParameters.filter(([name]) => wanted(name))) {
    const [verdict] = await takeVerdicts(host, 'load', [kmod], parameters);
    if (verdict !== undefined) judged.push(await judgeOne(host, verdict, parameters));
  }
  return judged;
}

async function judgeOne(host: LabHost, verdict: VerdictSeen, parameters: readonly string[]): Promise<Judged> {
  const attempt = await tryLoad(host, verdict.kmod, parameters);
  if (attempt.came.length > 0)
    await host.run(`for n in 1 2 3 4 5 6; do for x in ${attempt.came.join(' ')}; do rmmod $x; done; done 2>/dev/null`);
  const judged = judgeLoad(verdict, attempt);
  return parameters.length === 0 ? judged : { ...judged, kmod: `${judged.kmod} ${parameters.join(' ')}` };
}
