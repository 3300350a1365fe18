import { assertNever } from '@modfleet/proto';
import type { AddressState, HostSnapshot, KmodRecord, LineState, LinkState, SettingState } from './host-snapshot.ts';
import { REMADE_KINDS } from './parse-links.ts';

/** Something that the snapshot has and the host has not. */
export type Lack =
  | { readonly kind: 'kmod'; readonly kmod: KmodRecord }
  | {
      readonly kind: 'parameter';
      readonly kmod: string;
      readonly name: string;
      readonly was: string;
      readonly is: string;
    }
  /** A kmod that the plan loaded, and that was not there. */
  | { readonly kind: 'extra_kmod'; readonly name: string }
  | { readonly kind: 'link'; readonly link: LinkState }
  /** The same card under another name. */
  | { readonly kind: 'name'; readonly link: LinkState; readonly is: string }
  | { readonly kind: 'master'; readonly link: LinkState; readonly masterKind: string }
  | { readonly kind: 'mac'; readonly link: LinkState }
  | { readonly kind: 'mtu'; readonly link: LinkState }
  | { readonly kind: 'setting'; readonly setting: SettingState; readonly is: string | undefined }
  | { readonly kind: 'up'; readonly link: LinkState }
  | { readonly kind: 'address'; readonly address: AddressState }
  | { readonly kind: 'route'; readonly route: LineState }
  | { readonly kind: 'rule'; readonly rule: LineState };

/** What was there before and is not there now, in the order in which it has to be put back. Pure. */
export function lacksOf(before: HostSnapshot, now: HostSnapshot): Lack[] {
  return [...kmodLacks(before.kmods, now.kmods), ...networkLacks(before, now)];
}

/** Kmods alone. Pure. */
export function kmodLacks(before: readonly KmodRecord[], now: readonly KmodRecord[]): Lack[] {
  const present = new Map(now.map((one) => [one.name, one]));
  return before.flatMap((was): Lack[] => {
    const is = present.get(was.name);
    if (!was.loaded) return is?.loaded === true ? [{ kind: 'extra_kmod', name: was.name }] : [];
    if (is?.loaded !== true) return [{ kind: 'kmod', kmod: was }];
    const values = new Map(is.parameters);
    return was.parameters
      .filter(([name, value]) => (values.get(name) ?? value) !== value)
      .map(([name, value]) => ({ kind: 'parameter', kmod: was.name, name, was: value, is: values.get(name) ?? '' }));
  });
}

/** Links first (parents before children), then what belongs to them, then addresses, then what needs those. */
export function networkLacks(before: HostSnapshot, now: HostSnapshot): Lack[] {
  const present = new Map(now.links.map((one) => [one.name, one]));
  const known = new Set(before.links.map((one) => one.name));
  const absent = parentsFirst(before.links.filter((link) => !present.has(link.name)));
  const links = absent.map((link): Lack => {
    const mac = link.permanentMac === '' ? link.mac : link.permanentMac;
    const renamed =
      link.kind !== '' || mac === ''
        ? undefined
        : now.links.find((one) => one.kind === '' && !known.has(one.name) && [one.mac, one.permanentMac].includes(mac));
    return renamed === undefined ? { kind: 'link', link } : { kind: 'name', link, is: renamed.name };
  });
  const kinds = new Map(before.links.map((one) => [one.name, one.kind]));
  const settings = new Map(now.settings.map((one) => [one.path, one.value]));
  const addresses = new Set(now.addresses.map(addressKey));
  const routes = new Set(now.routes.map(lineKey));
  const rules = new Set(now.rules.map(lineKey));
  return [
    ...links,
    ...linkLacks(
      before.links,
      (link) => (present.get(link.name)?.master ?? '') !== link.master && link.master !== '',
    ).map((link): Lack => ({ kind: 'master', link, masterKind: kinds.get(link.master) ?? '' })),
    ...linkLacks(before.links, (link) => isMacLost(link, present)).map((link): Lack => ({ kind: 'mac', link })),
    ...linkLacks(before.links, (link) => present.get(link.name)?.mtu !== link.mtu).map((link): Lack => ({
      kind: 'mtu',
      link,
    })),
    ...before.settings
      .filter(({ path, value }) => settings.get(path) !== value)
      .map((setting): Lack => ({ kind: 'setting', setting, is: settings.get(setting.path) })),
    ...linkLacks(before.links, (link) => link.up && present.get(link.name)?.up !== true).map((link): Lack => ({
      kind: 'up',
      link,
    })),
    ...before.addresses
      .filter((one) => !addresses.has(addressKey(one)) && !isReplaced(one, now))
      .map((address): Lack => ({ kind: 'address', address })),
    ...before.routes
      .filter((one) => !routes.has(lineKey(one)) && !isRouteReplaced(one, before, now))
      .map((route): Lack => ({ kind: 'route', route })),
    ...before.rules.filter((one) => !rules.has(lineKey(one))).map((rule): Lack => ({ kind: 'rule', rule })),
  ];
}

function linkLacks(links: readonly LinkState[], lacks: (link: LinkState) => boolean): readonly LinkState[] {
  return links.filter(lacks);
}

/** A hand-set MAC is lost with the card. That of a member, or of a link that takes its members', follows from others. */
function isMacLost(link: LinkState, present: ReadonlyMap<string, LinkState>): boolean {
  const is = present.get(link.name);
  return is !== undefined && link.kind === '' && link.master === '' && link.mac !== '' && is.mac !== link.mac;
}

/** A lease may name another address after the card came back; that is as good. */
function isReplaced(one: AddressState, now: HostSnapshot): boolean {
  return one.dynamic && now.addresses.some((is) => is.dynamic && is.link === one.link && is.family === one.family);
}

/** A route that names a leased address which another one replaced. */
function isRouteReplaced(one: LineState, before: HostSnapshot, now: HostSnapshot): boolean {
  const source = one.words[one.words.indexOf('src') + 1];
  if (!one.words.includes('src') || source === undefined) return false;
  const leased = before.addresses.find((address) => address.address.split('/')[0] === source);
  return (
    leased !== undefined &&
    !now.addresses.some((is) => addressKey(is) === addressKey(leased)) &&
    isReplaced(leased, now)
  );
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

const addressKey = ({ link, address }: AddressState): string => `${link} ${address}`;
const lineKey = ({ family, words }: LineState): string => `${family} ${words.join(' ')}`;

/** A lack in words: what was there. */
export function lackWords(lack: Lack): string {
  switch (lack.kind) {
    case 'kmod':
      return `kmod ${lack.kmod.name}`;
    case 'parameter':
      return `parameter ${lack.kmod}.${lack.name}: was ${lack.was}, is ${lack.is}`;
    case 'extra_kmod':
      return `kmod ${lack.name} is loaded and was not`;
    case 'link':
      return `interface ${lack.link.name}${lack.link.kind === '' ? '' : ` (${lack.link.kind})`}`;
    case 'name':
      return `name ${lack.link.name} of the interface that is now ${lack.is}`;
    case 'master':
      return `${lack.link.name} in ${lack.link.master}`;
    case 'mac':
      return `MAC address ${lack.link.mac} of ${lack.link.name}`;
    case 'mtu':
      return `MTU ${lack.link.mtu} of ${lack.link.name}`;
    case 'setting':
      return `${lack.setting.path}: was ${lack.setting.value}, is ${lack.is ?? 'gone'}`;
    case 'up':
      return `${lack.link.name} up`;
    case 'address':
      return `address ${lack.address.address} on ${lack.address.link}`;
    case 'route':
      return `route ${lack.route.words.join(' ')}`;
    case 'rule':
      return `rule ${lack.rule.words.join(' ')}`;
    default:
      return assertNever(lack);
  }
}

/** Whether only time can help: a card that its driver has not made yet, and kmods, which are loaded elsewhere. */
export function isWaitedFor(lack: Lack): boolean {
  return lack.kind === 'link' && !REMADE_KINDS.has(lack.link.kind);
}
