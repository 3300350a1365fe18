import { expect, it } from 'vitest';
import { answersAtOnce } from './kernel-memory.ts';

it.each([
  '/proc/modules',
  '/proc/1/mountinfo',
  '/proc/412/fd',
  '/proc/412/stat',
  '/proc/sys/net/ipv4/conf/eth0/rp_filter',
  '/sys/module/ext4/initstate',
  '/sys/bus/pci/devices/0000:00:03.0/modalias',
  '/sys/class/net/eth0/flags',
  '/sys/module/ext4/parameters',
])('%s is read from memory', (path) => {
  expect(answersAtOnce(path)).toBe(true);
});

it.each([
  '/proc/412/cmdline',
  '/proc/1/environ',
  '/sys/class/net/eth0/uevent',
  '/sys/bus/pci/devices/0000:00:03.0/driver_override',
  '/sys/module/ext4/parameters/quick',
  '/sys/class/net/eth0/speed',
  '/sys/class/net/eth0/phys_port_name',
  '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
])('%s may wait for a lock', (path) => {
  expect(answersAtOnce(path)).toBe(false);
});

it.each([
  '/etc/modprobe.d/x.conf',
  '/lib/modules/6.1.0/modules.dep',
  '/var/lib/modfleet/state',
  '/procession',
  '/proc',
])('%s lies on a disk, or is nothing of the kernel', (path) => {
  expect(answersAtOnce(path)).toBe(false);
});
