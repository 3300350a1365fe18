import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { kernelName } from '../kmod/kernel-name.ts';
import type { KmodUevent, UeventReader, UeventSource } from './uevent-source.ts';

/** Name of the socket (agent/packaging/modfleet-uevents.socket). */
export const UEVENTS_SOCKET = 'uevents';

/**
 * The netlink socket that systemd opened and passed, copied by `cat`: about 1 MiB resident where udevadm has 4.7. A socket whose buffer ran over
 * gives ENOBUFS once (netlink(7)): cat then ends, which is told as a loss. Only the kernel and root can send to it (net/netlink/af_netlink.c,
 * netlink_sendmsg: NL_CFG_F_NONROOT_SEND).
 */
export const passedSource = (files: HostFiles, socket: number): UeventSource => ({
  program: 'cat',
  args: [],
  options: { stdin: socket, lineEnd: '\0' },
  reader: async () => {
    const last = valueOf(await files.readText('/sys/kernel/uevent_seqnum'));
    return new UeventFields(BigInt(/^\d+/.exec(last ?? '')?.[0] ?? 0));
  },
});

/**
 * Reads kernel uevents as they are sent (lib/kobject_uevent.c): `add@/module/X`, then NAME=VALUE fields, each ended by NUL; SEQNUM comes last
 * (Documentation/ABI/testing/sysfs-uevent; seen on 6.1 and 6.12). Events with SYNTH_UUID were written into a `uevent` file by someone.
 *
 * INVARIANT: an event that is not newer than `after` is not told. The socket is older than the agent: it holds what happened while no agent ran,
 * and told after the first look at /proc/modules that would be a story of changes that nobody saw.
 */
export class UeventFields implements UeventReader {
  readonly listens = true;
  readonly #after: bigint;
  #event: KmodUevent | undefined;

  constructor(after: bigint) {
    this.#after = after;
  }

  push(field: string): KmodUevent | undefined {
    const head = /^(\w+)@(.*)$/s.exec(field);
    if (head !== null) {
      const name = /^\/module\/([^/]+)$/.exec(head[2] ?? '')?.[1];
      const action = head[1];
      const isTold = name !== undefined && (action === 'add' || action === 'remove');
      this.#event = isTold ? { action, kmod: kernelName(name) } : undefined;
      return undefined;
    }
    if (field.startsWith('SYNTH_UUID=')) this.#event = undefined;
    const number = /^SEQNUM=(\d+)$/.exec(field)?.[1];
    if (number === undefined) return undefined;
    const event = this.#event;
    this.#event = undefined;
    return BigInt(number) > this.#after ? event : undefined;
  }
}
