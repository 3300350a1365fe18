import type { Evidence } from '@modfleet/proto';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import { kernelName } from '../../kmod/kernel-name.ts';
import { evidence } from '../findings/facts.ts';
import type { Interface } from '../protection/interfaces.ts';
import type { StorageUse } from '../protection/storage.ts';
import { blockUsers } from './block-users.ts';
import type { DmTables } from './dm-tables.ts';
import { lostMounts } from './lost-mounts.ts';
import type { OpenDevice } from './open-devices.ts';
import type { Processes } from './processes.ts';
import { ruleUsers } from './rule-users.ts';
import { socketUsers } from './socket-users.ts';
import type { ToolLists } from './tool-lists.ts';

/** Users that are shown at most: enough to act on, short enough to read. */
const MAX_SHOWN = 20;

/** What was found on the whole host, and the kmod in question. */
export interface UserContext {
  readonly files: HostFiles;
  readonly kmod: string;
  readonly aliases: readonly KmodAlias[];
  readonly storage: readonly StorageUse[];
  readonly interfaces: readonly Interface[];
  readonly openDevices: readonly OpenDevice[];
  readonly processes: Processes;
  readonly tables: DmTables;
  readonly tools: ToolLists;
}

/** Who uses a kmod: best effort, from all that the kernel and its tools show (kernel-facts: "refcount and what breaks"). */
export async function readUsers(context: UserContext): Promise<Evidence[]> {
  const { files, kmod, aliases, storage, interfaces, openDevices, processes, tables, tools } = context;
  const mounts = storage
    .filter((use) => use.supports.some((support) => support.kmod === kmod))
    .map((use) => evidence('mount', use.what));
  const ownInterfaces = interfaces
    .filter((one) => one.own.some((own) => own.kmod === kmod))
    .map((one) => evidence('interface', one.name));
  const found = [
    mounts,
    mounts.length === 0 ? await lostMounts(files, kmod, aliases, processes) : [],
    ownInterfaces,
    await blockUsers(files, kmod, tables),
    openDevices.map((one) => evidence('process', `${one.pid} (${one.command}) has ${one.node} open`)),
    await socketUsers(files, kmod, aliases, processes),
    await ruleUsers(files, kmod, tools),
    await ciphers(files, kmod),
    await congestion(files, kmod),
    await watchdogs(files, kmod),
  ].flat();
  return found.slice(0, MAX_SHOWN);
}

/** /proc/crypto: one block an algorithm; a refcnt of 1 is idle. */
async function ciphers(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const text = valueOf(await files.readText('/proc/crypto')) ?? '';
  return text.split('\n\n').flatMap((block) => {
    const field = (name: string): string | undefined => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(block)?.[1];
    const references = Number(field('refcnt') ?? '1');
    return kernelName(field('module') ?? '') === kmod && references > 1
      ? [evidence('path', `/proc/crypto: ${field('driver')} (${field('name')}) has ${references - 1} users`)]
      : [];
  });
}

async function congestion(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const path = '/proc/sys/net/ipv4/tcp_congestion_control';
  const name = valueOf(await files.readText(path))?.trim();
  return name !== undefined && kmod === `tcp_${name}` ? [evidence('path', `${path}: ${name}`)] : [];
}

/** A watchdog keeps its reference when its process ends without saying so (the "magic close"). */
async function watchdogs(files: HostFiles, kmod: string): Promise<Evidence[]> {
  const names = (valueOf(await files.list('/sys/class/watchdog')) ?? []).map((entry) => entry.name);
  const shown = await Promise.all(
    names.map(async (name) => {
      const folder = `/sys/class/watchdog/${name}`;
      const identity = valueOf(await files.readText(`${folder}/identity`))?.trim() ?? '';
      const state = valueOf(await files.readText(`${folder}/state`))?.trim() ?? '';
      const ofKmod = kmod === 'softdog' && identity === 'Software Watchdog';
      return ofKmod && state !== '' ? [evidence('path', `${folder}/state: ${state}`)] : [];
    }),
  );
  return shown.flat();
}
