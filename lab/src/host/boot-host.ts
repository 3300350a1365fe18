import { createHash, randomUUID } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bundleAgent, type LabAgent } from '../agent-bundle.ts';
import { labImage } from '../image/prepare.ts';
import { LabError } from '../lab-error.ts';
import { accelerator } from '../qemu/acceleration.ts';
import { macAddress, type MachineSpec, type NetworkSpec } from '../qemu/qemu-arguments.ts';
import { runProgram } from '../run-program.ts';
import { seedArchive } from '../seed.ts';
import { type HostKind, type HostNetwork, type KernelSeries, type Progress, type RootDisk, silent } from '../types.ts';
import { LabHost } from './lab-host.ts';
import { networkFiles } from './network-files.ts';
import { type HostRecord, makeRunFolder, removeDead, runFiles, writeRecord } from './run-folder.ts';

/** Memory that a host needs, in MB: the agent, Node.js and the page cache; a full host has systemd besides. */
const MEMORY_MB = { fast: 384, full: 512 } satisfies Record<HostKind, number>;

/** A host to boot. */
export interface BootOptions {
  kind: HostKind;
  series: KernelSeries;
  /** Host name, unique among the hosts that run: letters, digits, hyphens. */
  name: string;
  /** Text of /etc/modfleet/agent.yaml. The server on this machine's loopback is at 10.0.2.2. */
  agentConfig?: string;
  /** The join string for /etc/modfleet/join. */
  joinString?: string;
  /** Full kind only. Default: networkd. */
  network?: HostNetwork;
  /** Full kind only. Default: plain. */
  rootDisk?: RootDisk;
  /** Debian packages besides those that every full host has. Each list is an image of its own, built the first time. */
  packages?: readonly string[];
  /** False: the host runs no agent. Default: it runs the built one. */
  agent?: boolean;
  /** More files on the host by absolute path, there before the first program runs. */
  files?: Readonly<Record<string, string>>;
  /** Added to the kernel command line. */
  cmdlineExtra?: string;
  memMb?: number;
  /** The host's CPU accounting counts instructions: one is one nanosecond. Always emulated. Default: false. */
  countInstructions?: boolean;
  /** Added to QEMU's arguments. */
  extraQemuArguments?: readonly string[];
  progress?: Progress;
}

/** What killed processes left is removed once, before the first host. */
let swept: Promise<string[]> | undefined;

let bundle: Promise<LabAgent> | undefined;

/** One bundle for all hosts of this process. */
async function agentBundle(): Promise<LabAgent> {
  bundle ??= bundleAgent();
  return bundle;
}

function networkSpec(network: HostNetwork, unique: string, folder: string): NetworkSpec {
  const first = macAddress(unique);
  if (network !== 'vlan-bond') return { kind: 'user', macAddress: first };
  const { trunkSocket, accessSocket } = runFiles(folder);
  const second = macAddress(createHash('sha256').update(unique).digest('hex'));
  return { kind: 'tagged-pair', macAddresses: [first, second], trunkSocket, accessSocket };
}

async function machineSpec(
  options: BootOptions,
  folder: string,
  unique: string,
): Promise<MachineSpec & { release: string }> {
  const image = await labImage(options.kind, options.series, options.progress ?? silent, options.packages);
  const files = runFiles(folder);
  const agent = options.agent === false ? undefined : await agentBundle();
  const { name, agentConfig, joinString, countInstructions = false } = options;
  const network = options.network ?? 'networkd';
  const wiring = await networkFiles(network);
  const seed = await seedArchive(
    { name, agent, agentConfig, joinString, files: { ...wiring.files, ...options.files }, links: wiring.links },
    unique,
  );
  const archives = [image.initrd, ...(options.rootDisk === 'dm-linear' ? [await image.initrdForDm()] : [])];
  const initrd = await Promise.all(archives.map((path) => readFile(path)));
  await writeFile(files.initrd, Buffer.concat([...initrd, seed]), { mode: 0o600 });
  await runProgram('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image.rootDisk, files.disk]);
  return {
    name: options.name,
    accelerator: countInstructions
      ? 'tcg'
      : await accelerator(image.kernel, join(dirname(image.initrd), 'busybox'), options.progress ?? silent),
    countInstructions,
    memoryMb: options.memMb ?? MEMORY_MB[options.kind],
    kernel: image.kernel,
    initrd: files.initrd,
    commandLineExtra: options.cmdlineExtra ?? '',
    disk: files.disk,
    consoleLog: files.consoleLog,
    monitorSocket: files.monitorSocket,
    controlSocket: files.controlSocket,
    shellSocket: files.shellSocket,
    network: networkSpec(network, unique, folder),
    extraArguments: options.extraQemuArguments ?? [],
    release: image.kernelRelease,
  };
}

/**
 * Boots a host and resolves when it takes commands. Builds what the cache lacks first, which the first time takes a minute or two.
 * The caller ends it with kill(); should the caller die, the host goes with it.
 */
export async function bootHost(options: BootOptions): Promise<LabHost> {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,40}[a-z0-9])?$/.test(options.name)) {
    throw new LabError(
      `${JSON.stringify(options.name)} is no host name: lower-case letters, digits and hyphens, at most 42`,
    );
  }
  const { network = 'networkd', rootDisk = 'plain' } = options;
  if (options.kind === 'fast' && (network !== 'networkd' || rootDisk !== 'plain')) {
    throw new LabError(`A fast lab host has one card and a plain disk; ${network} and ${rootDisk} need kind "full".`);
  }
  await (swept ??= removeDead());
  const folder = await makeRunFolder(options.name);
  try {
    const unique = createHash('sha256').update(randomUUID()).digest('hex');
    const { release, ...spec } = await machineSpec(options, folder, unique);
    const { name, kind, series } = options;
    const record: HostRecord = { name, kind, series, network, kernelRelease: release, ownerPid: process.pid, folder };
    await writeRecord(record);
    const host = new LabHost(spec, record);
    try {
      await host.powerOn();
    } catch (error) {
      await host.powerOff({ hard: true }).catch(() => undefined); // it may be off already; the console log stays for the reader
      throw error;
    }
    return host;
  } catch (error) {
    if (!(error instanceof LabError && error.logFile?.startsWith(folder)))
      await rm(folder, { recursive: true, force: true });
    throw error;
  }
}
