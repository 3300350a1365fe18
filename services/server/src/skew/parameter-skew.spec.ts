import { describe, expect, it } from 'vitest';
import { ParameterSkew } from './parameter-skew.ts';

const host = (n: number) => ({ id: `id-${n}`, name: `web-${n}` });

describe('ParameterSkew', () => {
  it('names what differs, the most frequent value first, with some of its hosts', () => {
    const skew = new ParameterSkew();
    for (let n = 1; n <= 5; n += 1) skew.add(host(n), { debug: '0', rings: '2', path: null });
    skew.add(host(6), { debug: '7', rings: '2', path: '/x' });
    expect(skew.compared).toBe(6);
    expect(skew.differing()).toEqual([
      {
        parameter: 'debug',
        valueCount: 2,
        values: [
          { value: '0', hosts: 5, examples: [host(1), host(2), host(3)] },
          { value: '7', hosts: 1, examples: [host(6)] },
        ],
      },
    ]);
  });

  it('shows ten values of more, and says how many there are', () => {
    const skew = new ParameterSkew();
    for (let n = 0; n < 25; n += 1) skew.add(host(n), { hashsize: String(n) });
    const [only] = skew.differing();
    expect([only?.valueCount, only?.values.length]).toEqual([25, 10]);
  });

  it('finds nothing where all are alike, or nothing was compared', () => {
    const skew = new ParameterSkew();
    expect(skew.differing()).toEqual([]);
    skew.add(host(1), { debug: '0' });
    skew.add(host(2), { debug: '0', added: '1' });
    expect(skew.differing()).toEqual([]);
  });
});
