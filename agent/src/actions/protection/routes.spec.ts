import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import { addressOf, routeInterfaces } from './routes.ts';

const V4 = `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask
eth0\t00000000\t0202000A\t0003\t0\t0\t0\t00000000
eth0\t0002000A\t00000000\t0001\t0\t0\t0\t00FFFFFF
eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF
eth2\t0100A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF
eth3\t0000000A\t00000000\t0000\t0\t0\t0\t000000FF
`;
const V6 = `20010db8000000000000000000000000 20 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
`;
const files = new MemoryHostFiles({ '/proc/net/route': V4, '/proc/net/ipv6_route': V6 });

describe('route to the server', () => {
  it.each<[string, readonly string[]]>([
    ['10.0.2.9', ['eth0']],
    ['192.168.7.1', ['eth1']],
    ['192.168.0.1', ['eth2']],
    ['203.0.113.9', ['eth0']],
    ['2001:db8::5', ['eth1']],
    ['2001:db9::5', ['eth0']],
    ['::ffff:192.168.7.1', ['eth1']],
    ['127.0.0.1', []],
    ['::1', []],
  ])('%s goes by %j', async (remoteAddress, expected) => {
    expect(await routeInterfaces(files, { remoteAddress })).toEqual(expected);
  });

  it('takes in the interface of the local address, where routing policies hide the way', async () => {
    expect(await routeInterfaces(files, { remoteAddress: '203.0.113.9', localAddress: '192.168.3.4' })).toEqual([
      'eth0',
      'eth1',
    ]);
  });

  it('is by the default routes when there is no server', async () => {
    expect(await routeInterfaces(files, undefined)).toEqual(['eth0']);
    expect(await routeInterfaces(new MemoryHostFiles(), undefined)).toEqual([]);
  });

  it('reads addresses', () => {
    expect(addressOf('10.0.0.1')).toEqual({ value: 0x0a000001n, bits: 32 });
    expect(addressOf('fe80::1%eth0')).toEqual({ value: (0xfe80n << 112n) + 1n, bits: 128 });
    expect(addressOf('server.example')).toBeUndefined();
  });
});
