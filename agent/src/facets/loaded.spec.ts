import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import { LoadedObserver } from './loaded.ts';

const LINES = ['dummy 12288 0 - Live 0x0', 'virtio 20480 1 virtio_net, Live 0x0', 'mf_hello 16384 0 - Live 0x0 (OE)'];

/** A note section with one build id. */
function note(byte: number): Uint8Array {
  const bytes = Buffer.alloc(36, byte);
  Buffer.from([4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 0x47, 0x4e, 0x55, 0]).copy(bytes);
  return bytes;
}

describe('LoadedObserver', () => {
  let files: MemoryHostFiles;
  let observer: LoadedObserver;

  beforeEach(() => {
    files = new MemoryHostFiles({
      '/proc/modules': `${LINES.join('\n')}\n`,
      '/sys/module/dummy/notes/.note.gnu.build-id': note(0xaa),
      '/sys/module/mf_hello/notes/.note.gnu.build-id': note(0xbb),
      '/sys/module/mf_hello/srcversion': 'D330DD49\n',
      '/sys/module/mf_hello/version': '1.0\n',
    });
    observer = new LoadedObserver(files);
  });

  async function kmods() {
    const { observation } = await observer.look();
    if (observation.kind !== 'value') throw new Error(observation.reason);
    return observation.value.kmods;
  }

  it('joins /proc/modules and sysfs, sorted by name', async () => {
    expect(await kmods()).toMatchObject([
      { name: 'dummy', size: 12288, buildId: 'aa'.repeat(20), taint: '', srcversion: '', version: '' },
      { name: 'mf_hello', buildId: 'bb'.repeat(20), taint: 'OE', srcversion: 'D330DD49', version: '1.0' },
      { name: 'virtio', buildId: '' },
    ]);
  });

  it('reads only /proc/modules when nothing changed, also when counts and users did', async () => {
    await observer.look();
    files.reads.length = 0;
    files.nodes.set('/proc/modules', `${LINES.join('\n').replace('dummy 12288 0 -', 'dummy 12288 7 a,b,')}\n`);
    const look = await observer.look();
    expect(files.reads).toEqual(['/proc/modules']);
    expect(look.changed).toEqual([]);
  });

  it('touches sysfs only for the kmod that is new', async () => {
    await observer.look();
    files.reads.length = 0;
    files.nodes.set('/proc/modules', `tipc 1 0 - Live 0x0\n${LINES.join('\n')}\n`);
    const look = await observer.look();
    expect(look.changed).toEqual(['tipc']);
    expect(
      files.reads.filter((path) => path.startsWith('/sys')).every((path) => path.startsWith('/sys/module/tipc/')),
    ).toBe(true);
  });

  it('sees another build of the same kmod only when told to forget it', async () => {
    await observer.look();
    files.nodes.set('/sys/module/dummy/notes/.note.gnu.build-id', note(0xcc));
    expect((await kmods())[0]?.buildId).toBe('aa'.repeat(20));
    observer.forget('dummy');
    expect((await kmods())[0]?.buildId).toBe('cc'.repeat(20));
  });

  it('reads again in the next look what was forgotten during a look', async () => {
    await observer.look();
    observer.forgetAll();
    const look = observer.look();
    observer.forget('dummy');
    await look;
    expect((await observer.look()).changed).toEqual(['dummy']);
  });

  it('reads a half-dead kmod once, not at every look', async () => {
    files.nodes.set('/proc/modules', 'stuck 1 -1 - Unloading 0x0 (OE-)\n');
    expect((await observer.look()).changed).toEqual(['stuck']);
    expect((await observer.look()).changed).toEqual([]);
  });

  it('reads a kmod again when it has become live', async () => {
    files.nodes.set('/proc/modules', 'slow 1 1 - Loading 0x0 (+)\n');
    await observer.look();
    files.nodes.set('/sys/module/slow/notes/.note.gnu.build-id', note(0xdd));
    files.nodes.set('/proc/modules', 'slow 1 0 - Live 0x0\n');
    expect(await kmods()).toMatchObject([{ name: 'slow', buildId: 'dd'.repeat(20) }]);
  });

  it.each([
    [{ '/proc/version': 'Linux' }, 'this kernel has no loadable kmods'],
    [{ '/etc/os-release': '' }, '/proc is not mounted'],
    [{ '/proc/modules': { errno: 'EACCES' } }, 'may not be read by this user (EACCES)'],
    [{ '/proc/modules': { errno: 'EIO' } }, 'cannot be read (EIO)'],
    [{ '/proc/modules': { errno: 'EFBIG' } }, 'too long'],
    [{ '/proc/modules': 'no kmods here' }, 'cannot be understood'],
  ])('is incapable, with the reason, for %j', async (nodes, reason) => {
    const look = await new LoadedObserver(new MemoryHostFiles(nodes)).look();
    expect(look.observation).toMatchObject({ kind: 'incapable', reason: expect.stringContaining(reason) });
  });
});
