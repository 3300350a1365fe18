import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf, whyUnreadable } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { evidence, type Stake } from '../findings/facts.ts';
import type { OpenDevices } from '../usage/open-devices.ts';
import { closeOverUsers, supportsOfBlock, type Support } from './device-chain.ts';
import { type Interface, readInterfaces, supportsOfInterfaces } from './interfaces.ts';
import { readForeignInterfaces } from './namespaces.ts';
import { routeInterfaces, type ServerRoute } from './routes.ts';
import type { ResolveAlias, StorageUses } from './storage.ts';
import { readArmedWatchdogs } from './watchdogs.ts';

/** What the walks need. */
export interface StakeContext {
  readonly files: HostFiles;
  readonly exec: Exec;
  readonly kmod: string;
  readonly modules: readonly ProcModule[];
  readonly aliases: readonly KmodAlias[];
  readonly resolve: ResolveAlias;
  readonly storage: StorageUses;
  readonly serverRoute: ServerRoute | undefined;
  readonly openDevices: OpenDevices;
}

/**
 * What the host stands on, or would lose, when a kmod goes. Computed now, from topology; never from a list of names, as what is built in
 * differs from kernel to kernel.
 */
export async function readStakes(context: StakeContext): Promise<Stake[]> {
  const idle = (context.modules.find((module) => module.name === context.kmod)?.refcount ?? 0) === 0;
  const network = await networkStakes(context);
  const vital = vitalStorage(context);
  return [
    ...(await blindStakes(context)),
    ...vital,
    ...(idle && vital.length === 0 ? await storageBelow(context) : []),
    ...(await watchdogStakes(context)),
    ...network,
    ...(idle ? await dataStakes(context) : []),
  ];
}

function supporting(context: StakeContext, supports: readonly Support[]): Support | undefined {
  return closeOverUsers(supports, context.modules).find((support) => support.kmod === context.kmod);
}

/** What cannot be looked at is not free: nothing goes from a host whose disks or interfaces are not to be seen. */
async function blindStakes({ files, kmod, storage }: StakeContext): Promise<Stake[]> {
  const interfaces = await files.list('/sys/class/net');
  const network =
    interfaces.kind === 'ok'
      ? []
      : [`${whyUnreadable('/sys/class/net', interfaces)}: network interfaces cannot be seen`];
  return [...storage.blind, ...network].map((why) => ({
    kind: 'storage',
    message: `whether this host stands on ${kmod} cannot be told: ${why}`,
    evidence: [evidence('unseen', why)],
  }));
}

function vitalStorage(context: StakeContext): Stake[] {
  return context.storage.uses.flatMap((use): Stake[] => {
    const support = use.vital ? supporting(context, use.supports) : undefined;
    if (support === undefined) return [];
    return [
      {
        kind: 'storage',
        message: `${context.kmod} carries ${use.what}, which this host needs; no later load brings a lost disk back`,
        evidence: [evidence('mount', use.what), evidence('path', support.seenAt)],
      },
    ];
  });
}

/** Reference count 0 says nothing about a bus: the disk goes with it, mounted or not. */
async function storageBelow(context: StakeContext): Promise<Stake[]> {
  const { files, kmod, modules } = context;
  const mounted = context.storage.uses.flatMap((use): Stake[] => {
    const support = use.vital ? undefined : use.supports.find((one) => one.kmod === kmod);
    return support === undefined
      ? []
      : [
          {
            kind: 'storage',
            message: `${kmod} carries ${use.what}`,
            evidence: [evidence('mount', use.what), evidence('path', support.seenAt)],
          },
        ];
  });
  if (mounted.length > 0) return mounted;
  const stakes: Stake[] = [];
  for (const { name } of valueOf(await files.list('/sys/block')) ?? []) {
    const supports = await supportsOfBlock(files, `/sys/block/${name}`);
    const position = supports.findIndex((support) => support.kmod === kmod);
    const driver = supports[0];
    if (driver === undefined || position < 1) continue;
    const references = modules.find((module) => module.name === driver.kmod)?.refcount ?? 0;
    if (references === 0) continue;
    stakes.push({
      kind: 'storage',
      message: `${kmod} carries the disk ${name}, which is in use (reference count of ${driver.kmod}: ${references})`,
      evidence: [evidence('block', `/dev/${name}`), evidence('path', supports[position]?.seenAt ?? '')],
    });
  }
  return stakes;
}

async function watchdogStakes(context: StakeContext): Promise<Stake[]> {
  const armed = await readArmedWatchdogs(context.files);
  return armed.flatMap((watchdog): Stake[] => {
    const support = supporting(context, watchdog.supports);
    if (support === undefined) return [];
    const message = `${context.kmod} runs the armed watchdog ${watchdog.name} (${watchdog.identity}), which resets this host when nobody feeds it`;
    return [{ kind: 'watchdog', message, evidence: [evidence('path', support.seenAt)] }];
  });
}

async function networkStakes(context: StakeContext): Promise<Stake[]> {
  const { files, exec, kmod, resolve, serverRoute } = context;
  const interfaces = await readInterfaces(files, exec, resolve);
  const carrying = await routeInterfaces(files, serverRoute);
  const route = supporting(context, supportsOfInterfaces(interfaces, carrying));
  const way = serverRoute === undefined ? 'the default route' : "the agent's connection to its server";
  const routeStake: Stake[] =
    route === undefined
      ? []
      : [
          {
            kind: 'route',
            message: `${kmod} carries ${way} (${carrying.join(', ')}): without it nobody reaches this host`,
            evidence: [...carrying.map((name) => evidence('interface', name)), evidence('path', route.seenAt)],
          },
        ];
  return [
    ...routeStake,
    ...interfaceStakes(context, interfaces, carrying),
    ...(await foreignStakes(context, interfaces)),
  ];
}

/** Network drivers never count references: an interface under full traffic goes without a word. */
function interfaceStakes(
  { kmod, aliases }: StakeContext,
  interfaces: readonly Interface[],
  carrying: readonly string[],
): Stake[] {
  const makesKinds = aliases.some((alias) => alias.kmod === kmod && alias.pattern.startsWith('rtnl_link_'));
  return interfaces
    .filter((one) => (one.up || one.tied) && !carrying.includes(one.name))
    .flatMap((one): Stake[] => {
      const support = one.own.find((own) => own.kmod === kmod);
      const state = one.up ? 'up' : 'part of another interface';
      if (support !== undefined) {
        const message = `${kmod} runs the interface ${one.name}, which is ${state}: it, its addresses and its routes would be lost`;
        return [
          { kind: 'interface', message, evidence: [evidence('interface', one.name), evidence('path', support.seenAt)] },
        ];
      }
      if (!one.kindUnknown || !makesKinds) return [];
      const message = `${one.name} is ${state} and may be of ${kmod}: its kind is not visible without iproute2`;
      return [
        {
          kind: 'interface',
          message,
          evidence: [evidence('interface', one.name), evidence('unseen', 'not visible without iproute2')],
        },
      ];
    });
}

async function foreignStakes(
  { files, kmod, aliases }: StakeContext,
  interfaces: readonly Interface[],
): Promise<Stake[]> {
  const kind = aliases.find((alias) => alias.kmod === kmod && alias.pattern.startsWith('rtnl_link_'));
  if (kind === undefined && !interfaces.some((one) => one.own.some((own) => own.kmod === kmod))) return [];
  return (await readForeignInterfaces(files)).map((foreign) => ({
    kind: 'interface',
    message: `the network namespace of process ${foreign.pid} has interfaces (${foreign.names.join(', ')}), and whether they are of ${kmod} is not visible from here`,
    evidence: [evidence('process', String(foreign.pid)), ...foreign.names.map((name) => evidence('interface', name))],
  }));
}

/** What a reference count of 0 hides, and no load brings back. */
async function dataStakes({ files, kmod, openDevices }: StakeContext): Promise<Stake[]> {
  const stakes: Stake[] = openDevices.open.map((one) => ({
    kind: 'data',
    message: `${one.node} of ${kmod} is open in process ${one.pid} (${one.command}), and ${kmod} does not count it: the kernel would oops at its close`,
    evidence: [evidence('process', `${one.pid} ${one.command}`), evidence('path', one.node)],
  }));
  if (kmod === 'zram') {
    for (const { name } of valueOf(await files.list('/sys/block')) ?? []) {
      const size = name.startsWith('zram')
        ? Number(valueOf(await files.readText(`/sys/block/${name}/disksize`))?.trim() ?? '0')
        : 0;
      if (size > 0) {
        stakes.push({
          kind: 'data',
          message: `/dev/${name} holds data (${size} bytes of disk size), which would be lost`,
          evidence: [evidence('block', `/dev/${name}`)],
        });
      }
    }
  }
  if (kmod === 'nf_tables') {
    stakes.push({
      kind: 'interface',
      message:
        'nf_tables may hold tables that count no reference; they would be lost, and they are not visible without nft',
      evidence: [evidence('unseen', 'tables: not visible without nft')],
    });
  }
  return stakes;
}
