import { KmodState } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { parseProcModules, readProcModules } from './proc-modules.ts';

describe('parseProcModules', () => {
  it('reads a live kmod that nothing uses', () => {
    expect(parseProcModules('virtio_net 73728 0 - Live 0x0000000000000000\n')).toEqual([
      {
        name: 'virtio_net',
        size: 73728,
        refcount: 0,
        users: [],
        permanent: false,
        state: KmodState.KMOD_STATE_LIVE,
        taint: '',
      },
    ]);
  });

  it('splits users at commas, also after the last', () => {
    expect(parseProcModules('virtio 16384 3 virtio_net,virtio_pci, Live 0x0')[0]).toMatchObject({
      refcount: 3,
      users: ['virtio_net', 'virtio_pci'],
      permanent: false,
    });
  });

  it('tells [permanent] from users, alone and beside them', () => {
    const [alone, beside] = parseProcModules('vrf 1 0 [permanent], Live 0x0\nx 1 1 a,[permanent], Live 0x0\n');
    expect(alone).toMatchObject({ permanent: true, users: [] });
    expect(beside).toMatchObject({ permanent: true, users: ['a'] });
  });

  it.each([
    ['mf_stuck 12288 -1 - Unloading 0x0 (OE-)', KmodState.KMOD_STATE_UNLOADING, -1, 'OE'],
    ['mf_slow 12288 1 - Loading 0x0 (OE+)', KmodState.KMOD_STATE_LOADING, 1, 'OE'],
    ['mf_slow 12288 1 - Loading 0x0 (+)', KmodState.KMOD_STATE_LOADING, 1, ''],
    ['nvidia 12288 1 - Live 0x0 (POE)', KmodState.KMOD_STATE_LIVE, 1, 'POE'],
  ])('reads state and taint of %j', (line, state, refcount, taint) => {
    expect(parseProcModules(line)[0]).toMatchObject({ state, refcount, taint });
  });

  it('leaves the count unknown on a kernel that counts none', () => {
    expect(parseProcModules('loop 40960 - - Live 0x0')[0]?.refcount).toBeUndefined();
  });

  it('reads an empty list as no kmod', () => {
    expect(parseProcModules('')).toEqual([]);
  });

  it.each(['virtio_net', 'virtio_net x 0 - Live 0x0', ' 12 0 - Live 0x0', 'a 12 b - Live 0x0'])(
    'refuses the line %j',
    (line) => {
      expect(() => parseProcModules(`loop 1 0 - Live 0x0\n${line}\n`)).toThrow('cannot be understood');
    },
  );
});

describe('readProcModules', () => {
  it('gives an error for half a line, not half a list', async () => {
    const files = new MemoryHostFiles({ '/proc/modules': 'loop 1 0 - Live 0x0\nvirt' });
    expect(await readProcModules(files)).toMatchObject({ kind: 'error', errno: 'EBADMSG' });
  });

  it('says that there is no list on a kernel without loadable kmods', async () => {
    expect(await readProcModules(new MemoryHostFiles({ '/proc/version': 'Linux' }))).toEqual({ kind: 'not_found' });
  });
});
