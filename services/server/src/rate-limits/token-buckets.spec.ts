import { describe, expect, it } from 'vitest';
import { addressKey, TokenBuckets } from './token-buckets.ts';

describe('TokenBuckets', () => {
  it('give the burst at once, then the rate, never more', () => {
    const buckets = new TokenBuckets({ perSecond: 2, burst: 3 }, 10);
    expect([0, 0, 0, 0].map((now) => buckets.take('a', now).allowed)).toEqual([true, true, true, false]);
    expect(buckets.take('a', 499)).toMatchObject({ allowed: false, remaining: 0, retryAfterSeconds: 1 });
    expect(buckets.take('a', 500).allowed).toBe(true);
    expect(buckets.take('a', 1_000_000)).toMatchObject({ allowed: true, remaining: 2, fullInSeconds: 1 });
  });

  it('keep keys apart, and take nothing when looked at', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 10);
    expect(buckets.look('a', 0).allowed).toBe(true);
    expect(buckets.take('a', 0).allowed).toBe(true);
    expect(buckets.take('b', 0).allowed).toBe(true);
    expect(buckets.look('a', 0)).toMatchObject({ allowed: false, retryAfterSeconds: 1 });
  });

  it('do not go back when the clock does', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 10);
    buckets.take('a', 1000);
    expect(buckets.take('a', 0).allowed).toBe(false);
  });

  it('stay few, however many keys come', () => {
    const buckets = new TokenBuckets({ perSecond: 1, burst: 1 }, 100);
    for (let key = 0; key < 10_000; key += 1) buckets.take(String(key), key);
    expect(buckets.size).toBe(100);
  });
});

describe('addressKey', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });
});
