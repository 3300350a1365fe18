import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { passedSource, UeventFields } from './passed-source.ts';
import type { KmodUevent } from './uevent-source.ts';

/** As the kernel sends it (kernel-facts: 6.1 and 6.12). */
const fields = (action: string, path: string, number: number, more: readonly string[] = []): string[] => [
  `${action}@${path}`,
  `ACTION=${action}`,
  `DEVPATH=${path}`,
  'SUBSYSTEM=module',
  ...more,
  `SEQNUM=${number}`,
];

function events(after: bigint, ...lines: readonly string[][]): KmodUevent[] {
  const reader = new UeventFields(after);
  return lines.flat().flatMap((line) => reader.push(line) ?? []);
}

describe('UeventFields', () => {
  it('reads a load and a removal, and writes names as the kernel does', () => {
    expect(events(0n, fields('add', '/module/dm-crypt', 1), fields('remove', '/module/dummy', 2))).toEqual([
      { action: 'add', kmod: 'dm_crypt' },
      { action: 'remove', kmod: 'dummy' },
    ]);
  });

  it('tells an event only when it is complete', () => {
    expect(events(0n, fields('add', '/module/dummy', 1).slice(0, -1))).toEqual([]);
  });

  it('tells nothing that is older than the look it follows, whatever its number of digits', () => {
    const three = [98, 99, 100].map((number) => fields('add', `/module/k${number}`, number));
    expect(events(99n, ...three)).toEqual([{ action: 'add', kmod: 'k100' }]);
    expect(events(2n ** 63n, fields('add', '/module/dummy', 5))).toEqual([]);
  });

  it('ignores what someone wrote into a uevent file', () => {
    const written = fields('add', '/module/dummy', 1, ['SYNTH_UUID=0']);
    expect(events(0n, written)).toEqual([]);
    expect(events(0n, written, fields('add', '/module/dummy', 2))).toHaveLength(1);
  });

  it.each([
    ['change', '/module/dummy'],
    ['add', '/devices/virtual/net/dummy0'],
    ['add', '/module/dummy/holders'],
  ])('ignores %s@%s', (action, path) => {
    expect(events(0n, fields(action, path, 1))).toEqual([]);
  });

  it('does not take the number of one event for the end of another that broke off', () => {
    const cut = fields('add', '/module/dummy', 1).slice(0, -1);
    expect(events(0n, cut, fields('add', '/devices/x', 2))).toEqual([]);
  });
});

describe('passedSource', () => {
  it.each([
    ['17\n', 17],
    [undefined, 0],
  ])('takes the kernel’s last number %j as where it begins', async (seqnum, last) => {
    const files = new MemoryHostFiles(seqnum === undefined ? {} : { '/sys/kernel/uevent_seqnum': seqnum });
    const reader = await passedSource(files, 3).reader();
    const told = [last, last + 1]
      .flatMap((number) => fields('add', '/module/dummy', number))
      .map((line) => reader.push(line));
    expect(told.filter(Boolean)).toHaveLength(1);
    expect(reader.listens).toBe(true);
  });
});
