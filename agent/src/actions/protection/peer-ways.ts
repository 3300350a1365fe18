import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { cardsUp, carryingInterfaces } from './carrying.ts';
import { type Interface, supportsOfInterfaces } from './interfaces.ts';
import { hasPolicyRouting } from './ip-links.ts';
import type { Peer } from './network-peers.ts';
import type { SupportsOfPeer } from './storage.ts';

/**
 * What the way to a peer stands on. Where the peer is not to be seen, or policies may choose another route than that of the main table, every card
 * that is up may be that way.
 */
export function supportsOfPeersBy(files: HostFiles, exec: Exec, interfaces: readonly Interface[]): SupportsOfPeer {
  let policies: Promise<boolean | undefined> | undefined;
  return async ({ address, seenAt }: Peer) => {
    policies ??= hasPolicyRouting(files, exec);
    const main = address === undefined ? [] : await carryingInterfaces(files, interfaces, { remoteAddress: address });
    const names = address === undefined || (await policies) !== false ? [...main, ...cardsUp(interfaces)] : main;
    return supportsOfInterfaces(interfaces, names).map(({ kmod, seenAt: where }) => ({
      kmod,
      seenAt: `${where}, on the way to ${address ?? 'a machine that is not to be seen'} (${seenAt})`,
    }));
  };
}
