import type { HostFiles } from '../../host/host-files.ts';
import { whyUnreadable } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { evidence, type Stake } from '../findings/facts.ts';
import type { OpenDevice } from '../usage/open-devices.ts';
import { dataStakes } from '../usage/silent-losses.ts';
import type { ToolLists } from '../usage/tool-lists.ts';
import { closeOverUsers, type Support } from './device-chain.ts';
import { type Interface, supportsOfInterfaces } from './interfaces.ts';
import type { ForeignInterfaces } from './namespaces.ts';
import type { ServerRoute } from './routes.ts';
import type { StorageUses } from './storage.ts';
import type { ArmedWatchdog } from './watchdogs.ts';

/** A disk, volume or other block device with what it stands on, nearest first. */
export interface BlockDevice {
  readonly name: string;
  readonly supports: readonly Support[];
}

/** What the walks found, of the whole host, and the kmod in question. */
export interface StakeContext {
  readonly files: HostFiles;
  readonly kmod: string;
  readonly modules: readonly ProcModule[];
  readonly aliases: readonly KmodAlias[];
  readonly storage: StorageUses;
  readonly blockDevices: readonly BlockDevice[];
  readonly interfaces: readonly Interface[];
  /** Interfaces that carry the agent's connection. */
  readonly carrying: readonly string[];
  readonly serverRoute: ServerRoute | undefined;
  readonly foreignInterfaces: readonly ForeignInterfaces[];
  readonly watchdogs: readonly ArmedWatchdog[];
  readonly openDevices: readonly OpenDevice[];
  readonly tools: () => Promise<ToolLists>;
}

/**
 * What the host stands on, or would lose, when a kmod goes. Computed now, from topology; never from a list of names, as what is built in
 * differs from kernel to kernel.
 */
export async function readStakes(context: StakeContext): Promise<Stake[]> {
  const idle = (context.modules.find((module) => module.name === context.kmod)?.refcount ?? 0) === 0;
  const vital = vitalStorage(context);
  return [
    ...(await blindStakes(context)),
    ...vital,
    ...(idle && vital.length === 0 ? storageBelow(context) : []),
    ...watchdogStakes(context),
    ...networkStakes(context),
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
function storageBelow(context: StakeContext): Stake[] {
  const { kmod, modules } = context;
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
  for (const { name, supports } of context.blockDevices) {
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

function watchdogStakes(context: StakeContext): Stake[] {
  return context.watchdogs.flatMap((watchdog): Stake[] => {
    const support = supporting(context, watchdog.supports);
    if (support === undefined) return [];
    const message = `${context.kmod} runs the armed watchdog ${watchdog.name} (${watchdog.identity}), which resets this host when nobody feeds it`;
    return [{ kind: 'watchdog', message, evidence: [evidence('path', support.seenAt)] }];
  });
}

function networkStakes(context: StakeContext): Stake[] {
  const { kmod, interfaces, carrying, serverRoute } = context;
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
  return [...routeStake, ...interfaceStakes(context, interfaces, carrying), ...foreignStakes(context, interfaces)];
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
          {
            kind: 'interface',
            message,
            evidence: [
              evidence('interface', one.name),
              ...one.upper.map((upper) => evidence('interface', `${upper} stands on ${one.name}`)),
              evidence('path', support.seenAt),
            ],
          },
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

function foreignStakes({ kmod, aliases, foreignInterfaces }: StakeContext, interfaces: readonly Interface[]): Stake[] {
  const kind = aliases.find((alias) => alias.kmod === kmod && alias.pattern.startsWith('rtnl_link_'));
  if (kind === undefined && !interfaces.some((one) => one.own.some((own) => own.kmod === kmod))) return [];
  return foreignInterfaces.map((foreign) => ({
    kind: 'interface',
    message: `the network namespace of process ${foreign.pid} has interfaces (${foreign.names.join(', ')}), and whether they are of ${kmod} is not visible from here`,
    evidence: [evidence('process', String(foreign.pid)), ...foreign.names.map((name) => evidence('interface', name))],
  }));
}
