import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FsHostWrites, listContent, listPath, LISTS_FOLDER } from './host-writes.ts';

let root: string;
let writes: FsHostWrites;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'modfleet-writes-'));
  await mkdir(join(root, LISTS_FOLDER), { recursive: true });
  await mkdir(join(root, '/sys/module/dummy/parameters'), { recursive: true });
  writes = new FsHostWrites(root);
});

afterEach(async () => {
  await rm(root, { recursive: true });
});

const at = (path: string): string => join(root, path);

describe('a list to load at boot', () => {
  it('is whole, readable by everybody, and alone in its folder', async () => {
    expect(await writes.persist('dummy')).toEqual({ kind: 'done' });
    expect(await readFile(at(listPath('dummy')), 'utf8')).toBe(listContent('dummy'));
    expect((await stat(at(listPath('dummy')))).mode & 0o777).toBe(0o644);
    expect(await readdir(at(LISTS_FOLDER))).toEqual(['modfleet-dummy.conf']);
    expect(await writes.persist('dummy')).toEqual({ kind: 'done' });
    expect(await writes.unpersist('dummy')).toEqual({ kind: 'done' });
    expect(await readdir(at(LISTS_FOLDER))).toEqual([]);
    expect(await writes.unpersist('dummy')).toEqual({ kind: 'done' });
  });

  it('of somebody else stays as it is, a link too', async () => {
    const file = at(listPath('dummy'));
    await writeFile(file, `${listContent('dummy')}# mine\n`);
    expect([await writes.persist('dummy'), await writes.unpersist('dummy')]).toEqual([
      { kind: 'foreign' },
      { kind: 'foreign' },
    ]);
    await rm(file);
    await writeFile(at('/elsewhere'), listContent('dummy'));
    await symlink(at('/elsewhere'), file);
    expect([await writes.persist('dummy'), await writes.unpersist('dummy')]).toEqual([
      { kind: 'foreign' },
      { kind: 'foreign' },
    ]);
    expect(await readFile(at('/elsewhere'), 'utf8')).toBe(listContent('dummy'));
  });

  it('is not made where there is no folder for it', async () => {
    await rm(at(LISTS_FOLDER), { recursive: true });
    expect(await writes.persist('dummy')).toMatchObject({ kind: 'failed', errno: 'ENOENT' });
  });

  it.each(['../x', 'a/b', '', 'a b', `${'a'.repeat(56)}`])('has no name like %j', async (kmod) => {
    expect(await writes.persist(kmod)).toMatchObject({ kind: 'failed', errno: 'EINVAL' });
    expect(await writes.setParameter(kmod, 'a', '1')).toMatchObject({ kind: 'failed', errno: 'EINVAL' });
  });
});

describe('a parameter', () => {
  const file = '/sys/module/dummy/parameters/a';

  it('gets its value without a newline, which a text would keep', async () => {
    await writeFile(at(file), '1');
    expect(await writes.setParameter('dummy', 'a', '2')).toEqual({ kind: 'done' });
    expect(await readFile(at(file), 'utf8')).toBe('2');
  });

  it('is not made where there is none, and no link is followed', async () => {
    expect(await writes.setParameter('dummy', 'a', '2')).toMatchObject({ kind: 'failed', errno: 'ENOENT' });
    await writeFile(at('/elsewhere'), '1');
    await chmod(at('/elsewhere'), 0o600);
    await symlink(at('/elsewhere'), at(file));
    expect(await writes.setParameter('dummy', 'a', '2')).toMatchObject({ kind: 'failed', errno: 'ELOOP' });
    expect(await writes.setParameter('dummy', '../../x', '2')).toMatchObject({ kind: 'failed', errno: 'EINVAL' });
    expect(await readFile(at('/elsewhere'), 'utf8')).toBe('1');
  });
});
