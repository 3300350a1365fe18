import { decodeFacet, Facet } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { MemoryHostFiles, type MemoryNode } from '../host/memory-host-files.ts';
import { collectAvailable } from './available-collect.ts';
import { AvailableObserver, collectHere } from './available.ts';

const FOLDER = '/lib/modules/6.1.0-test';
const TREE: Record<string, MemoryNode> = {
  '/proc/sys/kernel/osrelease': '6.1.0-test\n',
  '/proc/modules': '',
  [`${FOLDER}/modules.dep`]: 'kernel/a.ko: kernel/b.ko\nkernel/b.ko:\n',
  [`${FOLDER}/modules.builtin`]: 'kernel/c.ko\n',
  [`${FOLDER}/modules.alias`]: 'alias x-1 a\nalias y-2 b\n',
  [`${FOLDER}/kernel/a.ko`]: 'file a',
  [`${FOLDER}/kernel/b.ko`]: 'file b',
};

async function look(nodes: Record<string, MemoryNode | undefined>) {
  const files = new MemoryHostFiles();
  for (const [path, node] of Object.entries({ ...TREE, ...nodes })) if (node !== undefined) files.nodes.set(path, node);
  return { files, look: await new AvailableObserver(files, collectHere(files)).look() };
}

async function digest(nodes: Record<string, MemoryNode | undefined>): Promise<string> {
  const { look: seen } = await look(nodes);
  return seen.kind === 'value' ? Buffer.from(seen.digest).toString('hex') : seen.reason;
}

describe('the digest of available', () => {
  it('opens no kmod', async () => {
    const { files } = await look({});
    expect(files.reads.filter((path) => path.endsWith('.ko'))).toEqual([]);
  });

  it('does not depend on the order of depmod’s lines', async () => {
    expect(
      await digest({
        [`${FOLDER}/modules.dep`]: 'kernel/b.ko:\nkernel/a.ko: kernel/b.ko\n',
        [`${FOLDER}/modules.alias`]: 'alias y-2 b\nalias x-1 a\n',
      }),
    ).toBe(await digest({}));
  });

  it.each([
    ['another release', { '/proc/sys/kernel/osrelease': '6.1.1\n', '/lib/modules/6.1.1': { link: '6.1.0-test' } }],
    ['another dependency', { [`${FOLDER}/modules.dep`]: 'kernel/a.ko:\nkernel/b.ko:\n' }],
    ['one more built in', { [`${FOLDER}/modules.builtin`]: 'kernel/c.ko\nkernel/d.ko\n' }],
    ['another alias', { [`${FOLDER}/modules.alias`]: 'alias x-1 b\nalias y-2 b\n' }],
    ['no aliases', { [`${FOLDER}/modules.alias`]: undefined }],
    ['a softdep', { [`${FOLDER}/modules.softdep`]: 'softdep a pre: b\n' }],
    ['a file rebuilt under the same index', { [`${FOLDER}/kernel/a.ko`]: 'file a, rebuilt' }],
    ['a file gone', { [`${FOLDER}/kernel/a.ko`]: undefined }],
  ])('changes with %s', async (_what, nodes) => {
    expect(await digest(nodes)).toMatch(/^[0-9a-f]{64}$/);
    expect(await digest(nodes)).not.toBe(await digest({}));
  });
});

describe('available', () => {
  it('is made again only when the index was written again', async () => {
    const files = new MemoryHostFiles(TREE);
    const observer = new AvailableObserver(files, collectHere(files));
    const first = await observer.look();
    files.reads.length = 0;
    expect(await observer.look()).toBe(first);
    expect(files.reads).toEqual(['/proc/sys/kernel/osrelease']);
    files.nodes.set(`${FOLDER}/modules.dep`, 'kernel/a.ko:\n');
    expect(await observer.look()).not.toBe(first);
  });

  it('shares one collection between two who ask', async () => {
    const files = new MemoryHostFiles(TREE);
    let runs = 0;
    const seen = await new AvailableObserver(files, () => Promise.resolve(new Uint8Array([++runs]))).look();
    if (seen.kind !== 'value') throw new Error(seen.reason);
    expect(await Promise.all([seen.bytes(), seen.bytes()])).toEqual([new Uint8Array([1]), new Uint8Array([1])]);
    expect(await seen.bytes()).toEqual(new Uint8Array([2]));
  });

  it('keeps a kmod whose file is damaged or gone, without a build id', async () => {
    const { look: seen } = await look({ [`${FOLDER}/kernel/b.ko`]: undefined });
    if (seen.kind !== 'value') throw new Error(seen.reason);
    const { kmods } = decodeFacet(Facet.FACET_AVAILABLE, await seen.bytes());
    expect(kmods.map(({ name, buildId, builtin, aliases }) => [name, buildId, builtin, aliases])).toEqual([
      ['a', '', false, ['x_1']],
      ['b', '', false, ['y_2']],
      ['c', '', true, []],
    ]);
  });

  it.each([
    [{ '/proc/sys/kernel/osrelease': undefined }, 'osrelease does not exist'],
    [{ [`${FOLDER}/modules.dep`]: undefined }, 'run depmod'],
    [{ [`${FOLDER}/modules.builtin`]: undefined }, 'run depmod'],
    [{ [`${FOLDER}/modules.dep`]: { errno: 'EACCES' } }, 'may not be read by this user'],
    [{ [`${FOLDER}/modules.alias`]: { errno: 'EIO' } }, 'cannot be read (EIO)'],
    [{ '/proc/sys/kernel/osrelease': 'other\n' }, '/lib/modules/other does not exist'],
    [{ '/proc/sys/kernel/osrelease': 'other\n', '/.dockerenv': '' }, 'in a container (docker)'],
    [{ '/proc/sys/kernel/osrelease': 'other\n', '/proc/modules': undefined }, 'this kernel has no loadable kmods'],
    [{ '/lib/modules': { errno: 'EACCES' } }, '/lib/modules/6.1.0-test may not be read'],
  ])('is incapable, with the reason, for %j', async (nodes, reason) => {
    expect((await look(nodes)).look).toMatchObject({ kind: 'incapable', reason: expect.stringContaining(reason) });
  });
});

it('is not collected to the end when nobody waits for it any more', async () => {
  const { files } = await look({});
  let filesLeft = 1;
  await expect(collectAvailable(files, '6.1.0-test', () => filesLeft-- > 0)).rejects.toThrow('nobody waits');
  expect(files.reads.filter((path) => path.endsWith('.ko'))).toHaveLength(1);
});
