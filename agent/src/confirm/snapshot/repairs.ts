import { assertNever } from '@modfleet/proto';
import type { LinkState } from './host-snapshot.ts';
import type { Lack } from './lacks.ts';
import { REMADE_KINDS } from './parse-links.ts';

/** One thing to do on the host. */
export type Repair =
  | { readonly kind: 'ip'; readonly args: readonly string[] }
  | { readonly kind: 'write'; readonly path: string; readonly value: string };

const ip = (...args: readonly string[]): Repair => ({ kind: 'ip', args });
const set = (link: string, ...args: readonly string[]): Repair => ip('link', 'set', 'dev', link, ...args);

/** What puts a lack of the network back, in order; nothing for what cannot be made again. Kmods are put back elsewhere. Pure. */
export function repairsOf(lack: Lack): Repair[] {
  switch (lack.kind) {
    case 'kmod':
    case 'parameter':
    case 'extra_kmod':
      return [];
    case 'link':
      return remade(lack.link);
    case 'name':
      return [set(lack.is, 'down'), set(lack.is, 'name', lack.link.name), ...upAgain(lack.link)];
    case 'master':
      // A bond takes a member only while that is down (drivers/net/bonding/bond_main.c).
      return lack.masterKind === 'bond'
        ? [set(lack.link.name, 'down'), set(lack.link.name, 'master', lack.link.master), ...upAgain(lack.link)]
        : [set(lack.link.name, 'master', lack.link.master)];
    case 'mac':
      return [set(lack.link.name, 'address', lack.link.mac)];
    case 'mtu':
      return [set(lack.link.name, 'mtu', String(lack.link.mtu))];
    case 'setting':
      return [{ kind: 'write', path: lack.setting.path, value: lack.setting.value }];
    case 'up':
      return [set(lack.link.name, 'up')];
    case 'address': {
      const { address, link, options } = lack.address;
      const local = options[0] === 'peer' ? (address.split('/')[0] ?? address) : address;
      return [ip('addr', 'replace', local, 'dev', link, ...options)];
    }
    case 'route':
      return [ip(...familyFlag(lack.route.family), 'route', 'replace', ...lack.route.words)];
    case 'rule':
      return [ip(...familyFlag(lack.rule.family), 'rule', 'add', ...lack.rule.words)];
    default:
      return assertNever(lack);
  }
}

function remade({ name, kind, parent, mac, options }: LinkState): Repair[] {
  if (!REMADE_KINDS.has(kind)) return [];
  const below = parent === '' ? [] : ['link', parent];
  // A VLAN and a bond take the address of what they stand on.
  const own = mac === '' || kind === 'vlan' || kind === 'bond' || kind === 'ipvlan' ? [] : ['address', mac];
  return [ip('link', 'add', ...below, 'name', name, ...own, 'type', kind, ...options)];
}

function upAgain({ name, up }: LinkState): Repair[] {
  return up ? [set(name, 'up')] : [];
}

function familyFlag(family: 'inet' | 'inet6'): string[] {
  return family === 'inet6' ? ['-6'] : [];
}
