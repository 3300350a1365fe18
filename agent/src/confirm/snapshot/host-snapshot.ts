import * as z from 'zod';

/*
 * A plan that an older agent wrote may lack what has a default here: it is read as it is, and compared by what it has.
 */

const words = z.array(z.string());
const pairs = z.array(z.tuple([z.string(), z.string()]));

/** A network interface, as `ip -d -j addr show` has it. */
const linkSchema = z.object({
  /** The kernel's number for it. Another one, in the same boot, is another interface under the same name. 0: not known. */
  index: z.number().default(0),
  name: z.string(),
  /** Kind of a virtual link (vlan, bond, bridge, …); empty for hardware and for what has none. */
  kind: z.string(),
  up: z.boolean(),
  mtu: z.number(),
  /** MAC address in use, and the one that the hardware was born with (empty where that is not said). */
  mac: z.string(),
  permanentMac: z.string(),
  /** The bond, bridge or VRF that it belongs to; empty for none. */
  master: z.string(),
  /** What a VLAN or macvlan stands on; empty for none. */
  parent: z.string(),
  /** What it is made with again: arguments of `ip link add … type KIND`, in order. */
  options: words,
  /** Every option of its kind, name and value as shown; what it is compared by. */
  traits: pairs.default([]),
  /** Options that name its members. */
  later: pairs.default([]),
  /** What it has as a member of its master. */
  member: pairs.default([]),
  /** What any link has, under the words of `ip link set`. */
  attributes: pairs.default([]),
});

/** An address, and the arguments of `ip addr replace` that give it again. */
const addressSchema = z.object({
  link: z.string(),
  family: z.enum(['inet', 'inet6']),
  /** local/prefix. */
  address: z.string(),
  /** It came by DHCP or router advertisement, and another one of the same family may take its place. */
  dynamic: z.boolean(),
  options: words,
  /** As they were then. */
  lifetimes: words.default([]),
  /** Fields without a word of `ip addr`: it is not made again. */
  strange: words.default([]),
});

/** A route or a rule: the words of `ip route|rule add`. */
const lineSchema = z.object({
  family: z.enum(['inet', 'inet6']),
  words,
  /** Fields without a word: it is compared whole, and not made again. */
  strange: words.default([]),
});

/** A setting below /proc/sys/net that belongs to one interface. */
const settingSchema = z.object({ path: z.string(), value: z.string() });

/** A kmod that the plan touches. */
const kmodSchema = z.object({
  name: z.string(),
  /** Live in /proc/modules: its init has returned, its exit has not begun. */
  loaded: z.boolean(),
  /** Listed there, and neither: one of its routines has not returned. */
  halfway: z.enum(['loading', 'unloading']).optional(),
  /** Readable parameters, name and value as sysfs shows them. */
  parameters: pairs,
});

/** What a revert brings back, and what the end is compared with. Taken before the first step. */
export const hostSnapshotSchema = z.object({
  links: z.array(linkSchema),
  addresses: z.array(addressSchema),
  routes: z.array(lineSchema),
  rules: z.array(lineSchema),
  settings: z.array(settingSchema),
  /** The kmods of the plan, in the order in which they were loaded. */
  kmods: z.array(kmodSchema),
});

export type HostSnapshot = z.output<typeof hostSnapshotSchema>;
export type LinkState = HostSnapshot['links'][number];
export type AddressState = HostSnapshot['addresses'][number];
export type LineState = HostSnapshot['routes'][number];
export type SettingState = HostSnapshot['settings'][number];
export type KmodRecord = HostSnapshot['kmods'][number];
export type Family = LineState['family'];
