import type { LinkState } from './host-snapshot.ts';
import { type Fields, fieldsOf, listOf, plainText, textOf } from '../../exec/ip-json.ts';
import { laterOf, makingWords, memberTraitsOf, type Trait, traitsOf } from './link-options.ts';

/** Links of this network namespace but loopback, from `ip -d -j addr show`. Pure. */
export function parseLinks(list: readonly Fields[]): LinkState[] {
  return list
    .filter((one) => textOf(one['ifname']) !== '' && textOf(one['ifname']) !== 'lo')
    .map((one) => {
      const info = fieldsOf(one['linkinfo']);
      const kind = textOf(info['info_kind']);
      const data = fieldsOf(info['info_data']);
      const member = fieldsOf(info['info_slave_data']);
      const traits = traitsOf(kind, data);
      return {
        index: typeof one['ifindex'] === 'number' ? one['ifindex'] : 0,
        name: textOf(one['ifname']),
        kind,
        up: listOf(one['flags']).includes('UP'),
        mtu: typeof one['mtu'] === 'number' ? one['mtu'] : 0,
        mac: textOf(one['address']),
        permanentMac: textOf(one['permaddr']) || textOf(member['perm_hwaddr']),
        master: textOf(one['master']),
        parent: textOf(one['link']),
        options: makingWords(kind, traits),
        traits: traits.map(mutable),
        later: laterOf(kind, data).map(mutable),
        member: memberTraitsOf(textOf(info['info_slave_kind']), member).map(mutable),
        attributes: attributesOf(one).map(mutable),
      };
    });
}

const mutable = ([name, value]: Trait): [string, string] => [name, value];

/** Attributes of any link, under the words of `ip link set`. */
function attributesOf(one: Fields): Trait[] {
  const flags = listOf(one['flags']);
  const text: [string, unknown][] = [
    ['txqueuelen', one['txqlen']],
    ['group', one['group']],
    ['alias', one['ifalias']],
  ];
  const onOff = (name: string, on: boolean): Trait => [name, on ? 'on' : 'off'];
  return [
    ...text.flatMap(([name, value]): Trait[] => (value === undefined ? [] : [[name, plainText(value)]])),
    onOff('arp', !flags.includes('NOARP')),
    onOff('multicast', flags.includes('MULTICAST')),
    onOff('allmulticast', flags.includes('ALLMULTI')),
    onOff('promisc', flags.includes('PROMISC')),
  ];
}
