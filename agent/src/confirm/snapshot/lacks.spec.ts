import { describe, expect, it } from 'vitest';
import { hostSnapshotSchema } from './host-snapshot.ts';
import { lackWords } from './lack.ts';
import { lacksOf } from './lacks.ts';
import { repairsOf } from './repairs.ts';
import { aLink as link, anAddress, aSnapshot as snapshot } from './testing/builders.ts';

describe('what is missing', () => {
  it('is nothing on a host that is as before', () => {
    const same = snapshot({ links: [link('ens3')] });
    expect(lacksOf(same, same)).toEqual([]);
  });

  it('is put back in an order that works: parents, members, settings, addresses, routes', () => {
    const before = snapshot({
      links: [
        link('bond0.9', { kind: 'vlan', parent: 'bond0' }),
        link('bond0', { kind: 'bond' }),
        link('ens3', { master: 'bond0' }),
      ],
      addresses: [anAddress('10.0.2.15/24', { link: 'bond0.9' })],
      routes: [{ family: 'inet', words: ['default', 'via', '10.0.2.2'], strange: [] }],
      settings: [{ path: '/proc/sys/net/ipv4/conf/bond0.9/rp_filter', value: '2' }],
      kmods: [{ name: 'virtio_net', loaded: true, parameters: [] }],
    });
    const now = snapshot({ links: [link('ens3')], kmods: [{ name: 'virtio_net', loaded: false, parameters: [] }] });
    const words = lacksOf(before, now).map(lackWords);
    expect(words[0]).toBe('kmod virtio_net');
    const at = (text: string): number => words.findIndex((one) => one.startsWith(text));
    expect(at('ens3 in bond0')).toBeLessThan(at('/proc/sys/net'));
    expect(at('interface bond0 (')).toBeLessThan(at('interface bond0.9'));
    expect(at('ens3 in bond0')).toBeLessThan(at('address'));
    expect(at('address')).toBeLessThan(at('route'));
  });

  it('takes another lease for as good, and a hand-set address not', () => {
    const address = anAddress('10.0.2.15/24', { dynamic: true });
    const other = { ...address, address: '10.0.2.16/24' };
    const links = [link('ens3')];
    expect(lacksOf(snapshot({ links, addresses: [address] }), snapshot({ links, addresses: [other] }))).toEqual([]);
    const fixed = { ...address, dynamic: false };
    expect(lacksOf(snapshot({ links, addresses: [fixed] }), snapshot({ links, addresses: [other] }))).toHaveLength(1);
  });

  it('finds a card under another name by its address', () => {
    const lacks = lacksOf(snapshot({ links: [link('ens3')] }), snapshot({ links: [link('eth0')] }));
    expect(lacks.flatMap(repairsOf)[1]).toEqual({ kind: 'ip', args: ['link', 'set', 'dev', 'eth0', 'name', 'ens3'] });
  });

  it('is also a kmod that the plan loaded, and a parameter that is another', () => {
    const before = snapshot({
      kmods: [
        { name: 'a', loaded: false, parameters: [] },
        { name: 'b', loaded: true, parameters: [['x', '1']] },
      ],
    });
    const now = snapshot({
      kmods: [
        { name: 'a', loaded: true, parameters: [] },
        { name: 'b', loaded: true, parameters: [['x', '2']] },
      ],
    });
    expect(lacksOf(before, now).map(lackWords)).toEqual(['kmod a is loaded and was not', 'parameter b.x: was 1, is 2']);
  });
});

describe('a link under the same name', () => {
  const traits: [string, string][] = [
    ['mode', 'active-backup'],
    ['miimon', '100'],
  ];
  const options = ['mode', 'active-backup', 'miimon', '100'];
  const bond = link('bond0', { kind: 'bond', index: 5, traits, options });
  const own = link('bond0', {
    kind: 'bond',
    index: 9,
    traits: [['mode', 'balance-rr']],
    options: ['mode', 'balance-rr'],
  });
  const lacks = (was: typeof bond, is: typeof bond) => lacksOf(snapshot({ links: [was] }), snapshot({ links: [is] }));

  it('that was made since with other options is deleted and made again', () => {
    const [first] = lacks(bond, own);
    expect(first?.kind).toBe('replaced');
    expect(first === undefined ? [] : repairsOf(first)).toEqual([
      { kind: 'ip', args: ['link', 'del', 'dev', 'bond0'] },
      {
        kind: 'ip',
        args: ['link', 'add', 'name', 'bond0', 'address', bond.mac, 'type', 'bond', ...options],
        otherwise: [
          ['link', 'add', 'name', 'bond0', 'address', bond.mac, 'type', 'bond', 'mode', 'active-backup'],
          ['link', 'set', 'dev', 'bond0', 'type', 'bond', 'miimon', '100'],
        ],
      },
    ]);
  });

  it('that is the same one has its options set, each by itself', () => {
    const changed = lacks(bond, {
      ...bond,
      traits: [
        ['mode', 'active-backup'],
        ['miimon', '50'],
        ['newer', '1'],
      ],
    });
    expect(changed.map(lackWords)).toEqual([
      'option miimon of bond0 (bond): was 100, is 50',
      'option newer of bond0 (bond): was not there, is 1',
    ]);
    expect(changed.flatMap(repairsOf)).toEqual([
      { kind: 'ip', args: ['link', 'set', 'dev', 'bond0', 'type', 'bond', 'miimon', '100'] },
    ]);
  });

  it('that was made since as it was lacks nothing but what has no word, which is reported and not made again', () => {
    const was = { ...bond, traits: [...traits, ['newer', '2'] as [string, string]] };
    const is = { ...bond, index: 9, traits: [...traits, ['newer', '1'] as [string, string]] };
    expect(lacks(was, is).map(lackWords)).toEqual(['option newer of bond0 (bond): was 2, is 1']);
    expect(lacks(was, is).flatMap(repairsOf)).toEqual([]);
  });

  it('that was made since on another parent is another one too', () => {
    const vlan = link('v9', { kind: 'vlan', index: 5, parent: 'bond0', options: ['id', '9'] });
    expect(lacks(vlan, { ...vlan, index: 9, parent: 'ens3' }).map((one) => one.kind)).toEqual(['replaced']);
  });

  it('that is hardware now is not deleted', () => {
    const [first] = lacks(bond, link('bond0', { index: 9 }));
    expect(first === undefined ? [] : repairsOf(first)).toEqual([]);
  });

  it('has its members first, then the options that name them', () => {
    const before = snapshot({
      links: [{ ...bond, later: [['primary', 'ens4']] }, link('ens4', { master: 'bond0', index: 3 })],
    });
    const now = snapshot({ links: [{ ...bond, index: 9 }, link('ens4', { index: 3 })] });
    expect(lacksOf(before, now).map(lackWords)).toEqual([
      'ens4 in bond0',
      'option primary of bond0 (bond): was ens4, is not there',
    ]);
    expect(lacksOf(before, now).flatMap(repairsOf).at(-1)).toEqual({
      kind: 'ip',
      args: ['link', 'set', 'dev', 'bond0', 'type', 'bond', 'primary', 'ens4'],
    });
  });

  it('keeps its MAC address, where it does not change it with its members', () => {
    const mac = '02:00:00:00:00:02';
    expect(lacks(bond, { ...bond, mac }).map(lackWords)).toEqual([`MAC address ${bond.mac} of bond0`]);
    const following = { ...bond, traits: [...traits, ['fail_over_mac', 'active'] as [string, string]] };
    expect(lacks(following, { ...following, mac })).toEqual([]);
  });
});

describe('what is never made again as something else', () => {
  it('is a route or rule with a field that has no word', () => {
    const strange = { family: 'inet' as const, words: ['default', 'via', '192.0.2.1'], strange: ['nhid=5'] };
    const lacks = lacksOf(
      snapshot({ routes: [strange], rules: [strange] }),
      snapshot({ routes: [{ ...strange, strange: [] }] }),
    );
    expect(lacks.map(lackWords)).toEqual([
      'route default via 192.0.2.1 (nhid=5: not made again)',
      'rule default via 192.0.2.1 (nhid=5: not made again)',
    ]);
    expect(lacks.flatMap(repairsOf)).toEqual([]);
  });

  it('and routes that differ in their gateways alone are added to each other', () => {
    const route = (...words: string[]) => ({ family: 'inet' as const, words, strange: [] });
    const routes = [
      route('10.1.0.0/16', 'via', '192.0.2.1'),
      route('10.1.0.0/16', 'via', '192.0.2.2'),
      route('default'),
    ];
    const repairs = lacksOf(snapshot({ routes }), snapshot()).flatMap(repairsOf);
    expect(repairs.map((one) => (one.kind === 'ip' ? one.args[1] : ''))).toEqual(['append', 'append', 'replace']);
  });
});

describe('a kmod of which a routine has not returned', () => {
  const kmod = (more: object) => ({ name: 'a', loaded: false, parameters: [], ...more });
  it.each([
    [kmod({ loaded: true }), kmod({ halfway: 'unloading' }), ['kmod a is still unloading']],
    [kmod({ loaded: true }), kmod({ halfway: 'loading' }), ['kmod a is still loading']],
    [kmod({}), kmod({ halfway: 'loading' }), ['kmod a is still loading and was not']],
    [kmod({}), kmod({}), []],
    [kmod({ halfway: 'loading' }), kmod({ halfway: 'loading' }), []],
  ])('%j, now %j', (was, is, words) => {
    expect(lacksOf(snapshot({ kmods: [was] }), snapshot({ kmods: [is] })).map(lackWords)).toEqual(words);
  });
});

it('a plan of an older agent is read, and says nothing of what it does not have', () => {
  const older = { name: 'bond0', kind: 'bond', up: true, mtu: 1500, mac: '', permanentMac: '', master: '', parent: '' };
  const plan = { ...snapshot(), links: [{ ...older, options: ['mode', 'active-backup'] }], addresses: [] };
  const before = hostSnapshotSchema.parse(plan);
  const now = snapshot({
    links: [link('bond0', { kind: 'bond', index: 3, mac: '', traits: [['mode', 'balance-rr']] })],
  });
  expect(lacksOf(before, now)).toEqual([]);
});
