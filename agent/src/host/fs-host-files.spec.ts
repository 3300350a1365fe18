import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FsHostFiles } from './fs-host-files.ts';

describe('FsHostFiles below a root', () => {
  let base: string;
  let files: FsHostFiles;

  beforeAll(() => {
    base = mkdtempSync(path.join(tmpdir(), 'modfleet-files-'));
    writeFileSync(path.join(base, 'secret'), 'outside');
    const root = path.join(base, 'root');
    mkdirSync(path.join(root, 'usr/lib/modules'), { recursive: true });
    mkdirSync(path.join(root, 'etc'));
    writeFileSync(path.join(root, 'usr/lib/modules/x'), 'inside');
    writeFileSync(path.join(root, 'etc/long'), 'x'.repeat(100));
    symlinkSync('usr/lib', path.join(root, 'lib'));
    symlinkSync('/usr/lib/modules/x', path.join(root, 'etc/absolute'));
    symlinkSync('../../../../secret', path.join(root, 'etc/climbing'));
    symlinkSync(path.join(base, 'secret'), path.join(root, 'etc/outside'));
    symlinkSync('loop', path.join(root, 'etc/loop'));
    files = new FsHostFiles(root);
  });
  afterAll(() => rmSync(base, { recursive: true }));

  it('follows links inside the root, relative and absolute', async () => {
    expect(await files.readText('/lib/modules/x')).toEqual({ kind: 'ok', value: 'inside' });
    expect(await files.readText('/etc/absolute')).toEqual({ kind: 'ok', value: 'inside' });
    expect(await files.realPath('/etc/absolute')).toEqual({ kind: 'ok', value: '/usr/lib/modules/x' });
  });

  it.each(['/etc/climbing', '/etc/outside', '/../secret', '/etc/../../secret'])(
    'does not leave the root by %s',
    async (escape) => {
      expect(await files.readText(escape)).toEqual({ kind: 'not_found' });
    },
  );

  it('gives a link as it is written', async () => {
    expect(await files.readLink('/etc/climbing')).toEqual({ kind: 'ok', value: '../../../../secret' });
    expect(await files.readLink('/lib')).toEqual({ kind: 'ok', value: 'usr/lib' });
    expect(await files.readLink('/etc/long')).toMatchObject({ kind: 'error', errno: 'EINVAL' });
  });

  it('tells missing, looping and too long apart', async () => {
    expect(await files.readText('/etc/nothing')).toEqual({ kind: 'not_found' });
    expect(await files.readText('/etc/long/below')).toEqual({ kind: 'not_found' });
    expect(await files.readText('/etc/loop')).toMatchObject({ kind: 'error', errno: 'ELOOP' });
    expect(await files.readBytes('/etc/long', 99)).toMatchObject({ kind: 'error', errno: 'EFBIG' });
    expect(await files.readBytes('/etc/long', 100)).toMatchObject({ kind: 'ok' });
    expect(await files.readText('/etc')).toMatchObject({ kind: 'error', errno: 'EISDIR' });
  });

  it('says of many files what it says of each, inside the root', async () => {
    const paths = ['/lib/modules/x', '/etc/climbing', '/etc/loop', '/etc', ...Array<string>(200).fill('/etc/long')];
    const each = await Promise.all(paths.map((one) => files.stat(one)));
    expect(await files.statMany(paths)).toEqual(each);
    expect(each[0]).toMatchObject({ kind: 'ok', value: { size: 6, kind: 'file' } });
    expect(each[1]).toEqual({ kind: 'not_found' });
    expect(await new FsHostFiles().statMany(['/proc/none', '/proc/version'])).toMatchObject([
      { kind: 'not_found' },
      { kind: 'ok', value: { kind: 'file' } },
    ]);
  });

  it('lists entries sorted, with their kinds', async () => {
    expect(await files.list('/')).toEqual({
      kind: 'ok',
      value: [
        { name: 'etc', kind: 'directory' },
        { name: 'lib', kind: 'link' },
        { name: 'usr', kind: 'directory' },
      ],
    });
    expect(await files.list('/etc/long')).toEqual({ kind: 'not_found' });
  });
});

describe('FsHostFiles of this machine', () => {
  const files = new FsHostFiles('/');

  it('reads a file of proc, which says no size, to its end', async () => {
    const read = await files.readText('/proc/self/status');
    expect(read.kind === 'ok' && read.value).toMatch(/^Name:[\s\S]*nonvoluntary_ctxt_switches:\s+\d+\n$/);
  });

  it('reads a link of proc', async () => {
    expect(await files.readLink('/proc/self')).toEqual({ kind: 'ok', value: String(process.pid) });
  });
});
