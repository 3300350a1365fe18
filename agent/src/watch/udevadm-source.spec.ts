import { describe, expect, it } from 'vitest';
import { UdevadmLines } from './udevadm-source.ts';

/** As udevadm 252 prints it on a 6.1 kernel. */
const HEADER = ['monitor will print the received events for:', 'KERNEL - the kernel uevent', ''];
const ADD = [
  'KERNEL[17.031457] add      /module/dummy (module)',
  'ACTION=add',
  'DEVPATH=/module/dummy',
  'SUBSYSTEM=module',
  'SEQNUM=833',
  '',
];

function events(lines: readonly string[]) {
  const parser = new UdevadmLines();
  return lines.map((line) => parser.push(line)).filter((event) => event !== undefined);
}

describe('UdevadmLines', () => {
  it('listens when its header says so, and finds no event in it', () => {
    const reader = new UdevadmLines();
    expect(reader.listens).toBe(false);
    expect(HEADER.map((line) => reader.push(line)).filter(Boolean)).toEqual([]);
    expect(reader.listens).toBe(true);
  });

  it('reads a load and a removal', () => {
    const remove = ADD.map((line) => line.replace('add     ', 'remove  ').replace('=add', '=remove'));
    expect(events([...HEADER, ...ADD, ...remove])).toEqual([
      { action: 'add', kmod: 'dummy' },
      { action: 'remove', kmod: 'dummy' },
    ]);
  });

  it('tells an event only when it is complete', () => {
    expect(events(ADD.slice(0, -1))).toEqual([]);
  });

  it('ignores an event that someone wrote into a uevent file', () => {
    expect(events([...ADD.slice(0, -1), 'SYNTH_UUID=0', ''])).toEqual([]);
    expect(events([...ADD.slice(0, -1), 'SYNTH_UUID=0', '', ...ADD])).toHaveLength(1);
  });

  it.each([
    'KERNEL[1.0] change   /module/dummy (module)',
    'KERNEL[1.0] add      /devices/virtual/net/dummy0 (net)',
    'KERNEL[1.0] add      /module/dummy/holders (module)',
  ])('ignores %j', (head) => {
    expect(events([head, ''])).toEqual([]);
  });
});
