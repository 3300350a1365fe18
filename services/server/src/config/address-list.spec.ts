import { describe, expect, it } from 'vitest';
import { addressesIn, addressList } from './address-list.ts';

describe('addressList', () => {
  it('takes addresses and CIDRs of both families', () => {
    const list = addressesIn(addressList.parse(' 10.0.0.1, 10.1.0.0/16 ,fd00::/64,'));
    const has = (address: string, family: 'ipv4' | 'ipv6') => list.check(address, family);
    expect([has('10.0.0.1', 'ipv4'), has('10.0.0.2', 'ipv4'), has('10.1.200.3', 'ipv4')]).toEqual([true, false, true]);
    expect([has('fd00::7', 'ipv6'), has('fd01::7', 'ipv6')]).toEqual([true, false]);
    // As a listener on :: sees an IPv4 caller.
    expect(has('::ffff:10.0.0.1', 'ipv6')).toBe(true);
    expect(has('::ffff:10.0.0.2', 'ipv6')).toBe(false);
  });

  it.each([
    '',
    ' , ',
    '*',
    'true',
    'balancer',
    '10.0.0.0/0',
    '10.0.0.0/33',
    '10.0.0.0/255.0.0.0',
    '::/0',
    '10.0.0.1/8/8',
    '10.0.0.1/',
  ])('refuses %j', (text) => expect(addressList.safeParse(text).success).toBe(false));
});
