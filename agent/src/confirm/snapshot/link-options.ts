import { type Fields, fieldsOf, listOf, plainText } from '../../exec/ip-json.ts';
import { KINDS, MEMBERS, MIIMON_MODES, type Option, VLAN_FLAGS } from './kind-options.ts';

/** Name and value, as `ip` shows them. */
export type Trait = readonly [name: string, value: string];

/** Kinds that `ip link add` makes again. */
export const REMADE_KINDS: ReadonlySet<string> = new Set(Object.keys(KINDS));

/** Every option of a virtual link as it is shown, `later` ones apart; without what changes by itself. Pure. */
export function traitsOf(kind: string, data: Fields): Trait[] {
  const { later = [], states = [] } = KINDS[kind] ?? {};
  return Object.entries(kind === 'vlan' ? vlanFields(data) : data)
    .filter(([name]) => !later.includes(name) && !states.includes(name))
    .map(([name, value]) => [name, plainText(value)]);
}

/** Names of links that are set once the members are there. Pure. */
export function laterOf(kind: string, data: Fields): Trait[] {
  return (KINDS[kind]?.later ?? [])
    .filter((name) => data[name] !== undefined)
    .map((name) => [name, plainText(data[name])]);
}

/** What a member of a bond, bridge or VRF has of its own. Pure. */
export function memberTraitsOf(masterKind: string, data: Fields): Trait[] {
  return Object.entries(data)
    .filter(([name]) => MEMBERS[masterKind]?.states.has(name) !== true)
    .map(([name, value]) => [name, plainText(value)]);
}

/** Arguments of `ip link add … type KIND` that make it as it was. Pure. */
export function makingWords(kind: string, traits: readonly Trait[]): string[] {
  return traits.flatMap(([name, value]) => (isGiven(kind, traits, name, value) ? wordsOf(kind, name, value) : []));
}

/** The least of them without which it is another link, and each other one alone. Pure. */
export function makingSteps(kind: string, traits: readonly Trait[]): { least: string[]; each: string[][] } {
  const given = traits.filter(([name, value]) => isGiven(kind, traits, name, value));
  const isLeast = ([name]: Trait): boolean => KINDS[kind]?.options[name]?.usual === undefined;
  return {
    least: given.filter(isLeast).flatMap(([name, value]) => wordsOf(kind, name, value)),
    each: given.filter((one) => !isLeast(one)).map(([name, value]) => wordsOf(kind, name, value)),
  };
}

/** Arguments of `ip link set … type KIND` for one option; none where it has no word there. Pure. */
export function settingWords(kind: string, traits: readonly Trait[], name: string, value: string): string[] {
  const option = KINDS[kind]?.options[name];
  if (option === undefined || value === '' || !isPossible(traits, option)) return [];
  return wordsOf(kind, name, value);
}

/** Arguments of `ip link set … type KIND_slave` for one option of a member; none where it has no word there. Pure. */
export function memberWords(masterKind: string, name: string, value: string): string[] {
  const word = MEMBERS[masterKind]?.words[name];
  return word === undefined || value === '' ? [] : [word, value];
}

function isGiven(kind: string, traits: readonly Trait[], name: string, value: string): boolean {
  const option = KINDS[kind]?.options[name];
  if (option === undefined || !isPossible(traits, option)) return false;
  if (kind === 'bond' && name === 'miimon' && MIIMON_MODES.includes(modeOf(traits))) return true;
  return option.usual !== value;
}

function isPossible(traits: readonly Trait[], { modes }: Option): boolean {
  return modes === undefined || modes.includes(modeOf(traits));
}

function modeOf(traits: readonly Trait[]): string {
  return traits.find(([name]) => name === 'mode')?.[1] ?? '';
}

function wordsOf(kind: string, name: string, value: string): string[] {
  const { word = name, form } = KINDS[kind]?.options[name] ?? {};
  if (form === 'flag') return [word];
  return [word, ...(form === 'list' ? value.split(',') : [value])];
}

/** Flags and maps of a VLAN, one field each. */
function vlanFields({ flags, ingress_qos, egress_qos, ...rest }: Fields): Fields {
  const set = listOf(flags).map((flag) => plainText(flag));
  const known = ['reorder_hdr', ...VLAN_FLAGS];
  const strange = set.filter((flag) => !known.includes(flag.toLowerCase()));
  const map = (pairs: unknown): string =>
    listOf(pairs)
      .map(fieldsOf)
      .map(({ from, to }) => `${plainText(from)}:${plainText(to)}`)
      .join(',');
  return {
    ...rest,
    ...(flags === undefined ? {} : Object.fromEntries(known.map((flag) => [flag, set.includes(flag.toUpperCase())]))),
    ...Object.fromEntries(strange.map((flag) => [`flag ${flag}`, true])),
    ...(ingress_qos === undefined ? {} : { ingress_qos: map(ingress_qos) }),
    ...(egress_qos === undefined ? {} : { egress_qos: map(egress_qos) }),
  };
}
