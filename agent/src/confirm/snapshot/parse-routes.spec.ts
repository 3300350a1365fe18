import { describe, expect, it } from 'vitest';
import { parseList } from '../../exec/ip-json.ts';
import { hasMetrics, lockedMetrics, parseRoutes } from './parse-routes.ts';
import { parseRules } from './parse-rules.ts';

const routesOf = (json: string, family: 'inet' | 'inet6' = 'inet') => parseRoutes(family, parseList(json) ?? []);
const wordsOf = (json: string, family: 'inet' | 'inet6' = 'inet') =>
  routesOf(json, family).map((one) => one.words.join(' '));

describe('routes of all tables', () => {
  it('are words, without the kernel’s own', () => {
    expect(
      wordsOf(
        '[{"dst":"default","gateway":"10.0.2.2","dev":"ens3","protocol":"dhcp","prefsrc":"10.0.2.15","metric":1024,"flags":[]},{"dst":"10.0.2.0/24","dev":"ens3","protocol":"kernel","scope":"link","prefsrc":"10.0.2.15","flags":["linkdown"]},{"type":"local","dst":"10.0.2.15","table":"local"},{"type":"blackhole","dst":"198.51.100.0/24","table":"100","flags":[]}]',
      ),
    ).toEqual([
      'default via 10.0.2.2 dev ens3 proto dhcp src 10.0.2.15 metric 1024',
      '10.0.2.0/24 dev ens3 proto kernel scope link src 10.0.2.15',
      'blackhole 198.51.100.0/24 table 100',
    ]);
    expect(
      wordsOf(
        '[{"dst":"fe80::/64","dev":"ens3","protocol":"kernel","metric":256,"pref":"medium"},{"dst":"default","gateway":"fe80::1","dev":"ens3","protocol":"ra"}]',
        'inet6',
      ),
    ).toEqual([]);
  });

  it('keep everything that ip takes', () => {
    expect(
      wordsOf(
        '[{"dst":"203.0.113.0/24","tos":"0x10","gateway":"198.51.100.9","dev":"da","flags":["onlink"],"metrics":[{"mtu":1400,"rtt":5,"congestion":"cubic"}]},{"dst":"203.0.117.0/24","flags":[],"nexthops":[{"gateway":"198.51.100.8","dev":"da","weight":2,"flags":["linkdown"]},{"via":{"family":"inet6","host":"fe80::1"},"dev":"db","weight":3,"flags":["onlink"]}]}]',
      ),
    ).toEqual([
      '203.0.113.0/24 tos 0x10 via 198.51.100.9 dev da onlink mtu 1400 rtt 5ms congctl cubic',
      '203.0.117.0/24 nexthop via 198.51.100.8 dev da weight 2 nexthop via inet6 fe80::1 dev db weight 3 onlink',
    ]);
    expect(
      wordsOf('[{"dst":"default","from":"2001:db8::/64","gateway":"fe80::1","dev":"va","pref":"high"}]', 'inet6'),
    ).toEqual(['default from 2001:db8::/64 via fe80::1 dev va pref high']);
  });

  it.each([
    ['{"dst":"203.0.113.0/24","nhid":5,"gateway":"198.51.100.9","dev":"da","flags":[]}', ['nhid=5']],
    ['{"dst":"203.0.113.0/24","encap":"mpls","label":"100","dev":"da"}', ['encap=mpls', 'label=100']],
    ['{"dst":"203.0.113.0/24","dev":"da","flags":["newer"]}', ['flag=newer']],
    ['{"dst":"203.0.113.0/24","dev":"da","metrics":[{"features":"0x1"}]}', ['features=0x1']],
    // ip would lock it.
    ['{"dst":"203.0.113.0/24","dev":"da","metrics":[{"rto_min":5}]}', ['rto_min=5']],
    ['{"dst":"203.0.113.0/24","dev":"da","expires":30}', ['expires']],
    ['{"dst":"203.0.113.0/24","nexthops":[{"dev":"da","weight":1,"encap":"ip"}]}', ['encap=ip']],
  ])('are strange with what has no word: %s', (route, strange) => {
    expect(routesOf(`[${route}]`)[0]?.strange).toEqual(strange);
  });

  it('have locked metrics, which only the text tells', () => {
    const list = parseList(
      '[{"dst":"default","gateway":"192.0.2.1","dev":"da"},{"dst":"203.0.113.0/24","dev":"da","metrics":[{"mtu":1400,"advmss":1200,"rto_min":5}]}]',
    );
    const text = 'default via 192.0.2.1 dev da \n203.0.113.0/24 dev da mtu lock 1400 advmss 1200 rto_min lock 5ms \n';
    expect(hasMetrics(list ?? [])).toBe(true);
    const locks = lockedMetrics(list ?? [], text);
    expect(parseRoutes('inet', list ?? [], locks)[1]?.words.join(' ')).toBe(
      '203.0.113.0/24 dev da mtu lock 1400 advmss 1200 rto_min 5ms',
    );
    // The list has changed between the two: what is locked is not known, so the route is not made again.
    expect(lockedMetrics(list ?? [], text.slice(text.indexOf('\n') + 1))).toBe('not_known');
    expect(parseRoutes('inet', list ?? [], 'not_known')[1]?.strange).toEqual(['lock=?', 'rto_min=5']);
  });
});

describe('rules', () => {
  const rulesOf = (json: string, family: 'inet' | 'inet6' = 'inet') => parseRules(family, parseList(json) ?? []);

  it('are words, without the kernel’s three', () => {
    const kernels =
      '[{"priority":0,"src":"all","table":"local"},{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]';
    expect(rulesOf(kernels)).toEqual([]);
    expect(rulesOf('[{"priority":32766,"src":"all","table":"main","suppress_prefixlen":0}]')).toHaveLength(1);
  });

  it.each([
    ['{"priority":100,"src":"192.0.2.0","srclen":24,"table":"100"}', 'priority 100 from 192.0.2.0/24 table 100'],
    [
      '{"priority":100,"not":null,"src":"10.9.0.0","srclen":16,"table":"100"}',
      'priority 100 not from 10.9.0.0/16 table 100',
    ],
    [
      '{"priority":1,"src":"all","table":"main","suppress_prefixlen":0}',
      'priority 1 from all table main suppress_prefixlength 0',
    ],
    [
      '{"priority":1,"src":"all","uid_start":1000,"uid_end":2000,"table":"77"}',
      'priority 1 from all uidrange 1000-2000 table 77',
    ],
    [
      '{"priority":1,"src":"all","ipproto":"tcp","dport":22,"table":"78"}',
      'priority 1 from all ipproto tcp dport 22 table 78',
    ],
    ['{"priority":1,"src":"all","sport_start":1,"sport_end":9,"table":"78"}', 'priority 1 from all sport 1-9 table 78'],
    ['{"priority":1,"src":"10.8.0.0","srclen":16,"action":"unreachable"}', 'priority 1 from 10.8.0.0/16 unreachable'],
    [
      '{"priority":1,"src":"all","fwmark":"0x10","fwmask":"0xf0","table":"79"}',
      'priority 1 from all fwmark 0x10/0xf0 table 79',
    ],
    [
      '{"priority":1,"src":"all","iif":"da","iif_detached":null,"oif":"db","table":"9"}',
      'priority 1 from all iif da oif db table 9',
    ],
    ['{"priority":1000,"src":"all","l3mdev":null}', 'priority 1000 from all l3mdev'],
    ['{"priority":1,"src":"all","goto":32766,"unresolved":null}', 'priority 1 from all goto 32766'],
    ['{"priority":1,"src":"all","nop":null}', 'priority 1 from all nop'],
    [
      '{"priority":1,"src":"all","tun_id":7,"tos":"0x10","table":"9","protocol":"static"}',
      'priority 1 from all tos 0x10 tun_id 7 table 9 protocol static',
    ],
  ])('%s', (rule, words) => {
    expect(rulesOf(`[${rule}]`)).toEqual([{ family: 'inet', words: words.split(' '), strange: [] }]);
  });

  it.each([
    ['{"priority":1,"src":"all","table":"9","flow_to":"5"}', ['flow_to=5']],
    ['{"priority":1,"src":"all","dscp":"CS1","table":"9"}', ['dscp=CS1']],
    ['{"priority":1,"src":"all","masquerade":null,"table":"9"}', ['masquerade=none']],
    ['{"priority":1,"src":"all","goto":"none"}', ['goto=none']],
    ['{"priority":1,"src":"all","action":"newer"}', ['action=newer']],
    ['{"priority":1,"src":"all","sport":5,"sport_mask":"0xff","table":"9"}', ['sport_mask=0xff']],
  ])('are strange with what has no word: %s', (rule, strange) => {
    expect(rulesOf(`[${rule}]`)[0]?.strange).toEqual(strange);
  });

  it('a port mask of all bits is none', () => {
    expect(rulesOf('[{"priority":1,"src":"all","sport":5,"sport_mask":"0xffff","table":"9"}]')[0]?.strange).toEqual([]);
  });
});
