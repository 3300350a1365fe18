import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import { processExists } from '../pid-lock.ts';
import type { HostKind, HostNetwork, KernelSeries } from '../types.ts';

/** What other processes may know of a running host (`lab list`, `lab shell`). */
export interface HostRecord {
  name: string;
  kind: HostKind;
  series: KernelSeries;
  network: HostNetwork;
  kernelRelease: string;
  /** The process that booted it. */
  ownerPid: number;
  /** QEMU; absent while the host is off. */
  qemuPid?: number;
  folder: string;
}

const RECORD = 'host.json';

/** A fresh folder for one host: its disk, sockets and console log. */
export async function makeRunFolder(name: string): Promise<string> {
  await mkdir(labPaths.run, { recursive: true, mode: 0o700 });
  return mkdtemp(join(labPaths.run, `${name}-`));
}

/** Files of a run folder by purpose. */
export const runFiles = (folder: string) => ({
  disk: join(folder, 'disk.qcow2'),
  initrd: join(folder, 'initrd.cpio'),
  consoleLog: join(folder, 'console.log'),
  qemuLog: join(folder, 'qemu.log'),
  monitorSocket: join(folder, 'qmp.sock'),
  controlSocket: join(folder, 'control.sock'),
  shellSocket: join(folder, 'shell.sock'),
  trunkSocket: join(folder, 'trunk.sock'),
  accessSocket: join(folder, 'access.sock'),
});

/** Says what runs in a folder. Replaced as a whole, so a reader never sees half of it. */
export async function writeRecord(record: HostRecord): Promise<void> {
  const target = join(record.folder, RECORD);
  await writeFile(`${target}.new`, JSON.stringify(record));
  await rename(`${target}.new`, target);
}

/** Every host with a run folder, dead ones included; see isAlive. */
export async function listRecords(): Promise<HostRecord[]> {
  const names = await readdir(labPaths.run).catch(() => []);
  const texts = await Promise.all(
    names.map((name) => readFile(join(labPaths.run, name, RECORD), 'utf8').catch(() => undefined)),
  );
  return texts.flatMap((text) => (text === undefined ? [] : [JSON.parse(text) as HostRecord]));
}

/** True while the process that booted the host is there (QEMU does not outlive it). */
export const isAlive = (record: HostRecord): boolean => processExists(record.ownerPid);

/** Removes what processes left behind that were killed. Gives the names of those hosts. */
export async function removeDead(): Promise<string[]> {
  const dead = (await listRecords()).filter((record) => !isAlive(record));
  await Promise.all(dead.map((record) => rm(record.folder, { recursive: true, force: true })));
  return dead.map((record) => record.name);
}
