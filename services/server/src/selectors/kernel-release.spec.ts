import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareKernelReleases, withoutFlavour } from './kernel-release.ts';
import { compareDebPart, compareRpmPart } from './package-version.ts';

describe('withoutFlavour', () => {
  it.each([
    ['6.1.0-49-cloud-amd64', '6.1.0-49'],
    ['6.1.0-51-amd64', '6.1.0-51'],
    ['6.12.41+deb13-cloud-amd64', '6.12.41+deb13'],
    ['6.12~rc6-amd64', '6.12~rc6'],
    ['6.1.0-0.deb11.13-amd64', '6.1.0-0.deb11.13'],
    ['5.15.0-91-generic', '5.15.0-91'],
    ['5.14.0-427.13.1.el9_4.x86_64', '5.14.0-427.13.1.el9_4'],
    ['5.14.21-150500.55.39-default', '5.14.21-150500.55.39'],
    ['6.1.55', '6.1.55'],
  ])('%s is %s', (release, expected) => {
    expect(withoutFlavour(release)).toBe(expected);
  });
});

describe('compareKernelReleases', () => {
  it.each([
    ['6.1.0-49-cloud-amd64', '6.1.0-51', 'deb', -1],
    ['6.1.0-51-cloud-amd64', '6.1.0-51', 'deb', 0],
    ['6.1.0-9-amd64', '6.1.0-51', 'deb', -1],
    ['6.1.0-0.deb11.13-amd64', '6.1.0-1', 'deb', -1],
    ['6.12~rc6-amd64', '6.12', 'deb', -1],
    ['6.12.41+deb13-amd64', '6.1.0-51', 'deb', 1],
    ['6.1.0-51-amd64', '6.1', 'deb', 1],
    ['5.14.0-427.13.1.el9_4.x86_64', '5.14.0-427.20.1.el9_4', 'rpm', -1],
    ['5.14.0-427.13.1.el9_4.x86_64', '5.14.0', 'rpm', 0],
    ['5.14.0-503.11.1.el9_5.aarch64', '5.14.0-427.13.1.el9_4', 'rpm', 1],
    ['6.6.8-arch1-1', '6.6.9', '', -1],
  ] as const)('%s against %s (%s) is %d', (left, right, family, expected) => {
    expect(compareKernelReleases(left, right, family)).toBe(expected);
    expect(compareKernelReleases(right, left, family)).toBe(expected === 0 ? 0 : -expected);
  });
});

describe('dpkg and rpm orders', () => {
  it.each([
    ['1.0~rc1', '1.0', -1],
    ['1.0', '1.0a', -1],
    ['1.0a', '1.0+', -1],
    ['1.09', '1.9', 0],
    ['1.10', '1.9', 1],
    ['', '~', 1],
  ] as const)('dpkg: %j against %j is %d', (left, right, expected) => {
    expect(compareDebPart(left, right)).toBe(expected);
  });

  it.each([
    ['1.0', '1.0', 0],
    ['1.0', '2.0', -1],
    ['2.0.1', '2.0', 1],
    ['5.5p1', '5.5p10', -1],
    ['10xyz', '10.1xyz', -1],
    ['1.0~rc1', '1.0', -1],
    ['1.0^', '1.0', 1],
    ['1.0^', '1.0.1', -1],
    ['2_0', '2.0', 0],
    ['a', '1', -1],
  ] as const)('rpm: %j against %j is %d', (left, right, expected) => {
    expect(compareRpmPart(left, right)).toBe(expected);
  });

  const version = fc.string({ unit: fc.constantFrom(...'0123459abz.+~^_-'), maxLength: 12 });
  it.each([
    ['dpkg', compareDebPart],
    ['rpm', compareRpmPart],
  ] as const)('%s: antisymmetric, reflexive and transitive', (_name, compare) => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(compare(a, a)).toBe(0);
        expect(compare(a, b) + compare(b, a)).toBe(0);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 3000 },
    );
  });
});
