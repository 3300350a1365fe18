import { describe, expect, it } from 'vitest';
import { capabilityNames } from './capability-names.ts';
import { EXPECTED, privilegeProblems } from './expected.ts';
import { privilegesOf } from './read-privileges.ts';

/** As a full lab host (Debian 12, systemd 252) has them. */
const STATUS = `Name:\tMainThread
Uid:\t0\t0\t0\t0
CapBnd:\t0000000400091004
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t17
`;
const MOUNTS = `22 1 254:0 / / ro,nosuid,noatime - ext4 /dev/vda rw
30 22 0:5 / /dev rw,nosuid - devtmpfs devtmpfs rw
31 30 0:6 / /dev/shm rw,nosuid - tmpfs tmpfs rw
32 22 0:7 / /proc rw - proc proc rw
33 22 254:0 /tmp/x /tmp rw - ext4 /dev/vda rw
34 22 254:0 /var/tmp/x /var/tmp rw - ext4 /dev/vda rw
35 22 254:0 /var/cache/modfleet-helper /var/cache/modfleet-helper rw - ext4 /dev/vda rw
35 22 254:0 /etc/modules-load.d /etc/modules-load.d rw - ext4 /dev/vda rw
36 22 254:0 /var/lib/modfleet-helper /var/lib/modfleet-helper rw - ext4 /dev/vda rw
37 22 0:8 / /srv rw - ext4 /dev/vdb rw
38 37 0:8 / /srv ro - ext4 /dev/vdb rw
`;

describe('what a process may do', () => {
  it('is read from status and mountinfo', () => {
    expect(privilegesOf(STATUS, MOUNTS)).toEqual(EXPECTED.helper);
    expect(privilegeProblems(privilegesOf(STATUS, MOUNTS), EXPECTED.helper)).toEqual([]);
  });

  it('is compared with the list, both ways', () => {
    const seen = privilegesOf(
      'Uid:\t0\nCapBnd:\t0000000000010000\nNoNewPrivs:\t0\nSeccomp:\t0\n',
      '22 1 254:0 / / rw - ext4 /dev/vda rw\n',
    );
    expect(privilegeProblems(seen, EXPECTED.courier)).toEqual([
      'it runs as root',
      'capability CAP_SYS_MODULE that it should not have',
      'it can gain privileges (NoNewPrivs is 0)',
      'its system calls are not filtered (Seccomp is not 2)',
      'writable path / that it should not have',
      ...EXPECTED.courier.writable.map((path) => `lacks writable path ${path}`),
    ]);
  });

  it('without a bounding set counts as everything', () => {
    expect(privilegesOf('', '').capabilities).toContain('CAP_SYS_ADMIN');
    expect(capabilityNames(1n << 63n)).toEqual(['CAP_63']);
  });
});
