import type { ProgramName } from './exec.ts';
import { asProperties, UNLOAD_RIGHTS } from './unit-rights.ts';
import { IP_VECTORS, REVERT_UNIT_VECTORS, SYSTEMCTL_VECTORS } from './window-vectors.ts';

/*
 * Every argument vector that a program may be started with. A vector that fits none of its program's shapes is refused at the door, whoever
 * asks: a mistake elsewhere, or a field of a request, cannot become a flag.
 */

/** One argument: these very words, or a text of this form. No form admits a leading dash. */
export type Argument = string | RegExp;

/** A vector: fixed arguments, then any number (`least` or more) of arguments of one form. */
export interface VectorShape {
  readonly args: readonly Argument[];
  readonly rest?: { readonly form: RegExp; readonly least: number; readonly most: number };
  /** Whether it can change anything on the host. */
  readonly effect: 'changes' | 'reads';
}

/** A kmod name as the kernel has it; longer than any that it accepts (MODULE_NAME_LEN is 56). */
const KMOD = /^[A-Za-z0-9_]{1,55}$/;

/** name=value without white space, quotes and control characters. */
const KMOD_PARAMETER = /^[A-Za-z0-9_][A-Za-z0-9_.-]*=[^\s"'\p{Cc}]*$/u;

/** A transient unit of an unload: the beginning of the action's id, and the kmod. */
const UNLOAD_UNIT = /^--unit=modfleet-[0-9a-zA-Z-]{0,8}-[A-Za-z0-9_]{1,55}$/;

/** Of exec/file-lock.ts. */
const LOCK_FILE = /^\/[^\0]{0,4000}\.lock$/;

const RMMOD_FILE = /^\/(?:usr\/)?s?bin\/rmmod$/;

/** A network interface (net/core/dev.c: dev_valid_name), but none that looks like a flag. */
const INTERFACE = /^[^-/:\s][^/:\s]{0,14}$/;

const reads = (...args: readonly Argument[]): VectorShape => ({ args, effect: 'reads' });
const changes = (...args: readonly Argument[]): VectorShape => ({ args, effect: 'changes' });

/** All shapes of all programs; a program without one can never be started. */
export const VECTORS: Readonly<Record<ProgramName, readonly VectorShape[]>> = {
  modprobe: [{ args: ['--', KMOD], rest: { form: KMOD_PARAMETER, least: 0, most: 64 }, effect: 'changes' }],
  rmmod: [changes(KMOD)],
  udevadm: [reads('monitor', '--kernel', '--property', '--subsystem-match=module')],
  // It copies the socket that it is given; no file can be named.
  cat: [reads()],
  // It holds the lock for as long as `cat` runs, which is as long as the pipe to it is open. Options that busybox has too.
  flock: [changes('-n', LOCK_FILE, 'cat')],
  dmesg: [reads()],
  dmsetup: [reads('table')],
  nft: [reads('list', 'ruleset')],
  tc: [
    reads('qdisc', 'show'),
    reads('filter', 'show', 'dev', INTERFACE),
    reads('filter', 'show', 'dev', INTERFACE, /^(?:ingress|egress)$/),
  ],
  ip: [reads('xfrm', 'state', 'list', 'nokeys'), ...IP_VECTORS],
  systemctl: SYSTEMCTL_VECTORS,
  reboot: [changes()],
  'systemd-run': [
    changes(
      '--quiet',
      '--wait',
      '--collect',
      '--pipe',
      UNLOAD_UNIT,
      /^--description=unload [A-Za-z0-9_]{1,55}$/,
      /^--property=TimeoutStopSec=\d{1,3}s$/,
      '--property=Type=exec',
      ...asProperties(UNLOAD_RIGHTS),
      '--',
      RMMOD_FILE,
      KMOD,
    ),
    ...REVERT_UNIT_VECTORS,
  ],
};

/** The shape that a vector has; undefined when nobody declared it. Pure. */
export function shapeOf(program: ProgramName, args: readonly string[]): VectorShape | undefined {
  return VECTORS[program].find((shape) => fits(shape, args));
}

/** What is said of a vector that nobody declared. */
export function undeclaredVector(program: ProgramName, args: readonly string[]): string {
  return `${program} ${args.join(' ')}: this agent declares no such way to start ${program} (exec/vectors.ts), so it was not started`;
}

function fits({ args: wanted, rest }: VectorShape, args: readonly string[]): boolean {
  const more = args.slice(wanted.length);
  return (
    args.length >= wanted.length &&
    wanted.every((one, index) => matches(one, args[index] ?? '')) &&
    (rest === undefined
      ? more.length === 0
      : more.length >= rest.least && more.length <= rest.most && more.every((one) => matches(rest.form, one)))
  );
}

function matches(wanted: Argument, given: string): boolean {
  return typeof wanted === 'string' ? wanted === given : !given.includes('\0') && wanted.test(given);
}
