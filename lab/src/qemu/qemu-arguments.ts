/** Everything that decides how QEMU is started for one host. Paths are absolute. */
export interface MachineSpec {
  name: string;
  accelerator: Accelerator;
  /** With `tcg` only. */
  countInstructions: boolean;
  memoryMb: number;
  kernel: string;
  initrd: string;
  /** Appended to the lab's own kernel command line. */
  commandLineExtra: string;
  /** qcow2 overlay of this host. */
  disk: string;
  consoleLog: string;
  /** Sockets on which we listen and QEMU calls. */
  monitorSocket: string;
  controlSocket: string;
  /** Socket on which QEMU listens, for people. */
  shellSocket: string;
  network: NetworkSpec;
  /** Further QEMU arguments, for tests that need an unusual device. */
  extraArguments: readonly string[];
}

/** What the host's cards are connected to. */
export type NetworkSpec =
  /** One card on QEMU's user network. */
  | { readonly kind: 'user'; readonly macAddress: string }
  /** Two cards on one wire that carries tagged frames; a relay between two sockets adds and strips the tag. */
  | {
      readonly kind: 'tagged-pair';
      readonly macAddresses: readonly [string, string];
      /** Sockets on which the relay listens and QEMU calls: the cards' side, and the user network's. */
      readonly trunkSocket: string;
      readonly accessSocket: string;
    };

/** `kvm` where the machine can really do it, else emulation. */
export type Accelerator = 'kvm' | 'tcg';

/**
 * Kernel command line of every lab host. Measured on an emulated CPU (6.1, to the first user space, seconds):
 * plain 3.9; without crypto self-tests 3.3; without mitigations and clock checks 2.7; PCI interrupts without ACPI save 0.7 more.
 * The host sees it in its `config` facet.
 */
const COMMAND_LINE =
  'console=ttyS0 quiet panic=-1 cryptomgr.notests mitigations=off tsc=reliable no_timer_check pci=noacpi';

/** The whole kernel command line of a host. */
export const kernelCommandLine = (extra: string): string => (extra === '' ? COMMAND_LINE : `${COMMAND_LINE} ${extra}`);

/** A locally administered MAC address made from a name: each host has its own user network, so only the host cares. */
export function macAddress(digestHex: string): string {
  const bytes = digestHex.slice(0, 6).match(/../g) ?? [];
  return ['52', '54', '00', ...bytes].join(':');
}

const card = (id: string, netdev: string, mac: string): string[] => [
  '-device',
  `virtio-net-pci,id=${id},netdev=${netdev},mac=${mac},romfile=`,
];

/** A hub is QEMU's wire: what comes in at one port goes out at all others. */
const hubPort = (hub: number, id: string, netdev?: string): string[] => [
  '-netdev',
  `hubport,hubid=${hub},id=${id}${netdev === undefined ? '' : `,netdev=${netdev}`}`,
];

const streamTo = (id: string, socket: string): string[] => [
  '-netdev',
  `stream,id=${id},server=off,addr.type=unix,addr.path=${socket}`,
];

function networkArguments(network: NetworkSpec): string[] {
  switch (network.kind) {
    case 'user':
      return ['-netdev', 'user,id=net0', ...card('nic0', 'net0', network.macAddress)];
    case 'tagged-pair':
      return [
        [...hubPort(1, 'net0'), ...card('nic0', 'net0', network.macAddresses[0])],
        [...hubPort(1, 'net1'), ...card('nic1', 'net1', network.macAddresses[1])],
        [...streamTo('trunk', network.trunkSocket), ...hubPort(1, 'trunk-port', 'trunk')],
        ['-netdev', 'user,id=uplink', ...hubPort(2, 'uplink-port', 'uplink')],
        [...streamTo('access', network.accessSocket), ...hubPort(2, 'access-port', 'access')],
      ].flat();
  }
}

/**
 * The host's clock goes on by one nanosecond an instruction while its CPU works, so what its kernel counts as CPU time are instructions, the same however
 * busy this machine is; while the CPU waits, the clock goes on with ours. Needs a host with one CPU.
 */
const COUNT_INSTRUCTIONS = ['-icount', 'shift=0'];

/** No feature is taken from `max` to save time: without svm every program on 6.1 aborted (measured, QEMU 7.2). */
function cpuModel({ accelerator, countInstructions }: MachineSpec): string {
  if (accelerator === 'kvm') return 'host';
  // A string instruction counts once for each step; with erms kernel and libc would copy and clear byte by byte.
  return countInstructions ? 'max,erms=off' : 'max';
}

/**
 * QEMU's argument vector. User networking: the host has 10.0.2.15 and reaches this machine's loopback at 10.0.2.2; nothing
 * reaches the host. Three serial ports: console (to a file), control (the harness), shell (people). Serial, because virtio
 * consoles would put a kmod of the lab's own on the host.
 */
export function qemuArguments(spec: MachineSpec): string[] {
  return [
    ['-name', spec.name, '-nodefaults', '-no-user-config', '-display', 'none'],
    ['-machine', 'pc', '-accel', spec.accelerator, '-cpu', cpuModel(spec), '-smp', '1', '-m', `${spec.memoryMb}M`],
    spec.countInstructions ? COUNT_INSTRUCTIONS : [],
    ['-kernel', spec.kernel, '-initrd', spec.initrd, '-append', kernelCommandLine(spec.commandLineExtra)],
    ['-drive', `file=${spec.disk},if=none,id=root,format=qcow2,cache=unsafe`, '-device', 'virtio-blk-pci,drive=root'],
    networkArguments(spec.network),
    ['-chardev', `file,id=console,path=${spec.consoleLog},append=on`, '-device', 'isa-serial,chardev=console,index=0'],
    ['-chardev', `socket,id=control,path=${spec.controlSocket}`, '-device', 'isa-serial,chardev=control,index=1'],
    // COM3 shares COM1's interrupt line by tradition; on QEMU's ISA bus that loses interrupts.
    ['-chardev', `socket,id=shell,path=${spec.shellSocket},server=on,wait=off`],
    ['-device', 'isa-serial,chardev=shell,index=2,irq=5'],
    ['-chardev', `socket,id=monitor,path=${spec.monitorSocket}`, '-mon', 'chardev=monitor,mode=control'],
    spec.extraArguments,
  ].flat();
}
