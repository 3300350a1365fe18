import { assertNever } from '@modfleet/proto';
import type { LinkState } from './host-snapshot.ts';
import type { Lack } from './lack.ts';
import { keepsMac } from './link-lacks.ts';
import { makingSteps, memberWords, REMADE_KINDS, settingWords } from './link-options.ts';

/** One thing to do on the host. */
export type Repair =
  /** `otherwise`: when it is refused, these; the first has to succeed, the others may not. */
  | { readonly kind: 'ip'; readonly args: readonly string[]; readonly otherwise?: readonly (readonly string[])[] }
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
    case 'replaced': {
      const again = remade(lack.link);
      return again.length === 0 || lack.is.kind === '' ? [] : [ip('link', 'del', 'dev', lack.link.name), ...again];
    }
    case 'option':
      return given(
        lack.link,
        lack.link.kind,
        settingWords(lack.link.kind, lack.link.traits, lack.name, lack.was ?? ''),
      );
    case 'later':
      return lack.was === undefined ? [] : given(lack.link, lack.link.kind, [lack.name, lack.was]);
    case 'member':
      return given(lack.link, `${lack.masterKind}_slave`, memberWords(lack.masterKind, lack.name, lack.was ?? ''));
    case 'attribute':
      return lack.was === undefined ? [] : [set(lack.link.name, lack.name, lack.was)];
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
      const { address, link, options, lifetimes, strange } = lack.address;
      const local = options[0] === 'peer' ? (address.split('/')[0] ?? address) : address;
      return strange.length > 0 ? [] : [ip('addr', 'replace', local, 'dev', link, ...options, ...lifetimes)];
    }
    case 'route': {
      const { family, words, strange } = lack.route;
      const verb = lack.shared ? 'append' : 'replace';
      return strange.length > 0 ? [] : [ip(...familyFlag(family), 'route', verb, ...words)];
    }
    case 'rule': {
      const { family, words, strange } = lack.rule;
      return strange.length > 0 ? [] : [ip(...familyFlag(family), 'rule', 'add', ...words)];
    }
    default:
      return assertNever(lack);
  }
}

/** With all options at once; where the kernel refuses one, with the least, and then each other alone. */
function remade(link: LinkState): Repair[] {
  const { name, kind, parent, mac, options, traits } = link;
  if (!REMADE_KINDS.has(kind)) return [];
  const below = parent === '' ? [] : ['link', parent];
  const own = mac === '' || !keepsMac(link) ? [] : ['address', mac];
  const begin = ['link', 'add', ...below, 'name', name, ...own, 'type', kind];
  const { least, each } = makingSteps(kind, traits);
  const otherwise = [
    [...begin, ...least],
    ...each.map((words) => ['link', 'set', 'dev', name, 'type', kind, ...words]),
  ];
  return [{ kind: 'ip', args: [...begin, ...options], ...(each.length > 0 ? { otherwise } : {}) }];
}

function given({ name }: LinkState, type: string, words: readonly string[]): Repair[] {
  return words.length === 0 ? [] : [set(name, 'type', type, ...words)];
}

function upAgain({ name, up }: LinkState): Repair[] {
  return up ? [set(name, 'up')] : [];
}

function familyFlag(family: 'inet' | 'inet6'): string[] {
  return family === 'inet6' ? ['-6'] : [];
}
