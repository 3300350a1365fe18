import { describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { ParametersObserver } from './parameters.ts';

const FILES = {
  '/sys/module/zram/parameters/num_devices': '1\n',
  '/sys/module/dummy/parameters/text': 'two\nlines\n',
  '/sys/module/dummy/parameters/secret': { errno: 'EACCES' },
  '/sys/module/dummy/parameters/broken': { errno: 'EIO' },
  '/sys/module/dm_bufio/parameters/current_allocated_bytes': '123\n',
  '/sys/module/plain/initstate': 'live\n',
  '/sys/module/locked/parameters': { errno: 'EACCES' },
};

async function kmods(observer: ParametersObserver, loaded: readonly string[], again?: readonly string[]) {
  const observation = await observer.look(loaded, again);
  if (observation.kind !== 'value') throw new Error(observation.reason);
  return observation.value.kmods;
}

describe('ParametersObserver', () => {
  it('gives values, and a reason for each that has none', async () => {
    expect(
      await kmods(new ParametersObserver(new MemoryHostFiles(FILES)), ['zram', 'dummy', 'plain', 'dm_bufio', 'locked']),
    ).toEqual([
      {
        name: 'dm_bufio',
        parameters: [
          { name: 'current_allocated_bytes', unreadableReason: 'changes all the time: read it on the host' },
        ],
      },
      {
        name: 'dummy',
        parameters: [
          { name: 'broken', unreadableReason: 'cannot be read (EIO)' },
          { name: 'secret', unreadableReason: 'permission denied, or write-only' },
          { name: 'text', value: 'two\nlines', unreadableReason: '' },
        ],
      },
      { name: 'locked', parameters: [{ name: '*', unreadableReason: 'cannot be listed (EACCES)' }] },
      { name: 'zram', parameters: [{ name: 'num_devices', value: '1', unreadableReason: '' }] },
    ]);
  });

  it('reads again only what is named, what is new, or all', async () => {
    const files = new MemoryHostFiles(FILES);
    const observer = new ParametersObserver(files);
    await kmods(observer, ['zram', 'dummy']);
    files.nodes.set('/sys/module/zram/parameters/num_devices', '2\n');
    const valueOf = async (again?: readonly string[]) =>
      (await kmods(observer, ['zram', 'dummy'], again)).find(({ name }) => name === 'zram')?.parameters[0]?.value;
    expect(await valueOf(['dummy'])).toBe('1');
    expect(await valueOf(['zram'])).toBe('2');
    files.nodes.set('/sys/module/zram/parameters/num_devices', '3\n');
    expect(await valueOf()).toBe('3');
    expect((await kmods(observer, ['dummy'], [])).map(({ name }) => name)).toEqual(['dummy']);
  });
});
