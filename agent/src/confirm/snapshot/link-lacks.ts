import type { HostSnapshot, LinkState } from './host-snapshot.ts';
import type { Lack } from './lack.ts';
import { REMADE_KINDS, type Trait } from './link-options.ts';

/** What links lack, in the order in which it has to be put back: options before members, as a bond takes some of them only without any. Pure. */
export function linkLacks(before: HostSnapshot, now: HostSnapshot): Lack[] {
  const present = new Map(now.links.map((one) => [one.name, one]));
  const kinds = new Map(before.links.map((one) => [one.name, one.kind]));
  const both = before.links.flatMap((link) => {
    const is = present.get(link.name);
    return is === undefined ? [] : [{ link, is, masterKind: kinds.get(link.master) ?? '' }];
  });
  // What hangs on a link that is missing is put back as soon as that is there.
  const where = (has: (link: LinkState, is: LinkState | undefined) => boolean): LinkState[] =>
    before.links.filter((link) => has(link, present.get(link.name)));
  return [
    ...absentLinks(before, now),
    ...both.flatMap(({ link, is }) => (isReplaced(link, is) ? [{ kind: 'replaced', link, is } as const] : [])),
    ...both.flatMap(({ link, is }) =>
      isCompared(link, is)
        ? changes(link.traits, is.traits).map((one) => ({ kind: 'option', link, ...one }) as const)
        : [],
    ),
    ...where((link, is) => link.master !== '' && (is?.master ?? '') !== link.master).map((link): Lack => ({
      kind: 'master',
      link,
      masterKind: kinds.get(link.master) ?? '',
    })),
    ...both.flatMap(({ link, is, masterKind }) =>
      is.master === link.master
        ? changes(link.member, is.member).map((one) => ({ kind: 'member', link, masterKind, ...one }) as const)
        : [],
    ),
    ...both.flatMap(({ link, is }) => (isMacLost(link, is) ? [{ kind: 'mac', link } as const] : [])),
    ...where((link, is) => is?.mtu !== link.mtu).map((link): Lack => ({ kind: 'mtu', link })),
    ...both.flatMap(({ link, is }) =>
      changes(link.attributes, is.attributes).map((one) => ({ kind: 'attribute', link, ...one }) as const),
    ),
    ...settingLacks(before, now),
    ...where((link, is) => link.up && is?.up !== true).map((link): Lack => ({ kind: 'up', link })),
    ...both.flatMap(({ link, is }) =>
      changes(link.later, is.later).map((one) => ({ kind: 'later', link, ...one }) as const),
    ),
  ];
}

function absentLinks(before: HostSnapshot, now: HostSnapshot): Lack[] {
  const present = new Set(now.links.map((one) => one.name));
  const known = new Set(before.links.map((one) => one.name));
  return parentsFirst(before.links.filter((link) => !present.has(link.name))).map((link): Lack => {
    const mac = link.permanentMac === '' ? link.mac : link.permanentMac;
    const renamed =
      link.kind !== '' || mac === ''
        ? undefined
        : now.links.find((one) => one.kind === '' && !known.has(one.name) && [one.mac, one.permanentMac].includes(mac));
    return renamed === undefined ? { kind: 'link', link } : { kind: 'name', link, is: renamed.name };
  });
}

function settingLacks(before: HostSnapshot, now: HostSnapshot): Lack[] {
  const settings = new Map(now.settings.map((one) => [one.path, one.value]));
  return before.settings
    .filter(({ path, value }) => settings.get(path) !== value)
    .map((setting): Lack => ({ kind: 'setting', setting, is: settings.get(setting.path) }));
}

/**
 * Something else has its name: `modprobe bonding` makes a bond0 of its own (max_bonds). The number tells: what the snapshot has is gone for good
 * when another link has its name, so deleting that one loses nothing that was there.
 */
function isReplaced(link: LinkState, is: LinkState): boolean {
  if (link.index === 0 || link.index === is.index) return false;
  if (link.kind !== is.kind) return true;
  const madeOf = ({ parent, options }: LinkState): string => [parent, ...options].join(' ');
  return REMADE_KINDS.has(link.kind) && madeOf(link) !== madeOf(is);
}

/** Of kinds that are not made here, not every field is known to stay: they are compared when they were made anew. */
function isCompared(link: LinkState, is: LinkState): boolean {
  return link.kind === is.kind && (REMADE_KINDS.has(link.kind) || link.index !== is.index);
}

/** Of a plan that does not have them yet, nothing is said. */
function changes(
  before: readonly Trait[],
  now: readonly Trait[],
): { name: string; was: string | undefined; is: string | undefined }[] {
  if (before.length === 0) return [];
  const [was, is] = [new Map(before), new Map(now)];
  return [...new Set([...was.keys(), ...is.keys()])]
    .map((name) => ({ name, was: was.get(name), is: is.get(name) }))
    .filter((one) => one.was !== one.is);
}

/**
 * A hand-set MAC address is lost with the link, and a bond may take that of another member. That of a member follows from its master, and where a
 * bond changes its own with the active member, or a link has that of its parent always, there is none to keep.
 */
function isMacLost(link: LinkState, is: LinkState): boolean {
  const isKept = (link.kind === '' || REMADE_KINDS.has(link.kind)) && keepsMac(link);
  return isKept && link.master === '' && link.mac !== '' && is.mac !== link.mac;
}

/** Whether it has a MAC address of its own. Pure. */
export function keepsMac({ kind, traits }: LinkState): boolean {
  const follows = traits.some(([name, value]) => name === 'fail_over_mac' && value !== 'none');
  return kind !== 'ipvlan' && !follows;
}

function parentsFirst(links: readonly LinkState[]): LinkState[] {
  const left = new Map(links.map((link) => [link.name, link]));
  const sorted: LinkState[] = [];
  const take = (link: LinkState): void => {
    if (!left.delete(link.name)) return;
    for (const below of [link.parent, link.master]) {
      const needed = left.get(below);
      if (needed !== undefined) take(needed);
    }
    sorted.push(link);
  };
  for (const link of links) take(link);
  return sorted;
}
