import { REMADE_KINDS } from '../../confirm/snapshot/link-options.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { whyUnreadable } from '../../host/read-outcome.ts';
import type { KmodAlias } from '../../kmod/index-parsers.ts';
import type { ProcModule } from '../../kmod/proc-modules.ts';
import { evidence, type Stake } from '../findings/facts.ts';
import type { OpenDevice } from '../usage/open-devices.ts';
import { dataStakes } from '../usage/silent-losses.ts';
import type { ToolLists } from '../usage/tool-lists.ts';
import { closeOverUsers, type Support } from './device-chain.ts';
import type { HiddenCard } from './hidden-cards.ts';
import { makesInterfaces } from './interface-kinds.ts';
import { type Interface, supportsOfInterfaces, withLower } from './interfaces.ts';
import type { ForeignNetwork } from './namespaces.ts';
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
  /** depmod's index is there: `aliases` are all there are. */
  readonly indexed: boolean;
  readonly storage: StorageUses;
  readonly blockDevices: readonly BlockDevice[];
  readonly interfaces: readonly Interface[];
  /** Interfaces that carry the agent's connection. */
  readonly carrying: readonly string[];
  readonly serverRoute: ServerRoute | undefined;
  readonly foreignNetworks: readonly ForeignNetwork[];
  readonly hiddenCards: readonly HiddenCard[];
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
    const { name, identity } = watchdog;
    const message = watchdog.armed
      ? `${context.kmod} runs the armed watchdog ${name} (${identity}), which resets this host when nobody feeds it`
      : `${context.kmod} runs the watchdog ${name} (${identity}), and whether it is armed is not to be seen: it would reset this host when nobody feeds it`;
    return [{ kind: 'watchdog', message, evidence: [evidence('path', support.seenAt)] }];
  });
}

function networkStakes(context: StakeContext): Stake[] {
  const { kmod, interfaces, carrying, serverRoute } = context;
  const route = supporting(context, supportsOfInterfaces(interfaces, carrying));
  const way = serverRoute === undefined ? 'the default route' : "the agent's connection to its server";
  const lost = route === undefined ? undefined : lostForGood(context, carrying);
  const routeStake: Stake[] =
    route === undefined
      ? []
      : [
          {
            kind: 'route',
            ...(lost === undefined ? {} : { restorable: false }),
            message: `${kmod} carries ${way} (${carrying.join(', ')}): without it nobody reaches this host${lost === undefined ? '' : `, and ${lost.name} (${lost.kind ?? 'of a kind that is not to be seen'}) is none that a revert makes again`}`,
            evidence: [...carrying.map((name) => evidence('interface', name)), evidence('path', route.seenAt)],
          },
        ];
  return [
    ...routeStake,
    ...interfaceStakes(context, interfaces, carrying),
    ...foreignStakes(context, interfaces),
    ...hiddenStakes(context),
  ];
}

/** An interface on the way that goes with the kmod, and that no revert makes again. */
function lostForGood({ kmod, interfaces, modules }: StakeContext, carrying: readonly string[]): Interface | undefined {
  return withLower(interfaces, carrying).find(
    (one) =>
      !isMadeAgain(one) &&
      closeOverUsers(supportsOfInterfaces(interfaces, [one.name]), modules).some((support) => support.kmod === kmod),
  );
}

/** A card comes back with its driver; of the others a revert makes some kinds. */
function isMadeAgain({ hardware, kind }: Interface): boolean {
  return hardware || (kind !== undefined && REMADE_KINDS.has(kind));
}

/** Network drivers never count references: an interface under full traffic goes without a word. */
function interfaceStakes(
  context: StakeContext,
  interfaces: readonly Interface[],
  carrying: readonly string[],
): Stake[] {
  const { kmod, aliases, indexed } = context;
  return interfaces
    .filter((one) => one.state !== 'down' || one.tied)
    .flatMap((one): Stake[] => {
      const state = STATES[one.tied && one.state === 'down' ? 'tied' : one.state];
      const carries = carrying.includes(one.name);
      const support = carries ? undefined : one.own.find((own) => own.kmod === kmod);
      if (support !== undefined) {
        const message = `${kmod} runs the interface ${one.name}, which ${state}: it, its addresses and its routes would be lost`;
        return [interfaceStake(message, one, support.seenAt)];
      }
      const beside = one.beside.find((own) => own.kmod === kmod);
      if (beside !== undefined) {
        const message = `${kmod} uses the driver of the interface ${one.name}, which ${state}; whether the interface needs it is not to be seen`;
        return [interfaceStake(message, one, beside.seenAt)];
      }
      if (one.kmodUnseen === undefined || makesInterfaces(kmod, aliases, indexed) === false) return [];
      const message = `${one.name} ${state} and may be of ${kmod}: ${one.kmodUnseen}`;
      return [
        {
          kind: 'interface',
          message,
          evidence: [evidence('interface', one.name), evidence('unseen', one.kmodUnseen)],
        },
      ];
    });
}

const STATES = {
  up: 'is up',
  down: 'is down',
  tied: 'is part of another interface',
  unseen: 'may be up (its flags cannot be read)',
} as const;

function interfaceStake(message: string, one: Interface, seenAt: string): Stake {
  const { name, upper } = one;
  return {
    kind: 'interface',
    ...(isMadeAgain(one) ? {} : { restorable: false }),
    message,
    evidence: [
      evidence('interface', name),
      ...upper.map((one) => evidence('interface', `${one} stands on ${name}`)),
      evidence('path', seenAt),
    ],
  };
}

function foreignStakes(context: StakeContext, interfaces: readonly Interface[]): Stake[] {
  const { kmod, aliases, indexed, foreignNetworks } = context;
  if (
    makesInterfaces(kmod, aliases, indexed) === false &&
    !interfaces.some((one) => one.own.some((own) => own.kmod === kmod))
  )
    return [];
  return foreignNetworks.map(({ where, evidence: shown, names }) => ({
    kind: 'interface',
    restorable: false,
    message:
      names === undefined
        ? `the network namespace ${where} may have interfaces of ${kmod}: they are not visible from here`
        : `the network namespace ${where} has interfaces (${names.join(', ')}), and whether they are of ${kmod} is not visible from here`,
    evidence: [shown, ...(names ?? []).map((name) => evidence('interface', name))],
  }));
}

function hiddenStakes(context: StakeContext): Stake[] {
  return context.hiddenCards.flatMap(({ device, supports }): Stake[] => {
    const support = supporting(context, supports);
    if (support === undefined) return [];
    const message = `${context.kmod} runs the network card ${device}, whose interface is in another network namespace: it would be lost there`;
    return [
      {
        kind: 'interface',
        restorable: false,
        message,
        evidence: [evidence('path', `${device}/net`), evidence('path', support.seenAt)],
      },
    ];
  });
}
