import { describe, expect, it } from 'vitest';
import { aptSpecifier } from './download.ts';
import { headerCompanions, newestRelease, parsePrintUris } from './package-groups.ts';

describe('newestRelease', () => {
  it('compares ABI numbers as numbers and stays within the series', () => {
    const names = [
      'linux-image-6.1.0-9-cloud-amd64',
      'linux-image-6.1.0-56-cloud-amd64',
      'linux-image-6.1.0-57-cloud-amd64-unsigned',
      'linux-image-6.12.117+deb12-cloud-amd64',
      'linux-image-6.12.20+deb12-cloud-amd64',
    ];
    expect(newestRelease('6.1', names)).toBe('6.1.0-56-cloud-amd64');
    expect(newestRelease('6.12', names)).toBe('6.12.117+deb12-cloud-amd64');
  });

  it('finds nothing among other kernels', () => {
    expect(newestRelease('6.1', ['linux-image-amd64', ''])).toBeUndefined();
  });
});

describe('headerCompanions', () => {
  it('takes the common headers and kbuild, not the compiler', () => {
    const line =
      'linux-headers-6.1.0-56-common (= 6.1.192-2), linux-kbuild-6.1 (>= 6.1.192-2), linux-compiler-gcc-12-x86';
    expect(headerCompanions(line)).toEqual(['linux-headers-6.1.0-56-common', 'linux-kbuild-6.1']);
  });
});

describe('parsePrintUris', () => {
  it('takes file and hash of each line and skips anything else', () => {
    const output = `'http://mirror.test/pool/kmod_30_amd64.deb' kmod_30_amd64.deb 123 SHA256:aa\nE: something\n`;
    expect(parsePrintUris(output)).toEqual([{ file: 'kmod_30_amd64.deb', hash: 'SHA256:aa' }]);
  });
});

describe('aptSpecifier', () => {
  it('turns a file name back into package and version, epoch included', () => {
    expect(aptSpecifier('busybox-static_1%3a1.35.0-4+b1_amd64.deb')).toBe('busybox-static=1:1.35.0-4+b1');
  });
});
