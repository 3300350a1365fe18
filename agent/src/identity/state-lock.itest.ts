import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { lockState } from './state-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-lock-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('one agent a folder, by whatever path; a released folder is free again', async () => {
  const first = await lockState(path.join(folder, 'state'));
  await symlink(path.join(folder, 'state'), path.join(folder, 'link'));
  await expect(lockState(path.join(folder, 'link'))).rejects.toThrow('another modfleet-agent already runs with it');
  const other = await lockState(path.join(folder, 'other'));
  await first.release();
  const again = await lockState(path.join(folder, 'state'));
  await Promise.all([again.release(), other.release()]);
});

it('a folder that cannot be made is named', async () => {
  await writeFile(path.join(folder, 'file'), '');
  await expect(lockState(path.join(folder, 'file'))).rejects.toThrow(
    `state_dir ${path.join(folder, 'file')} cannot be used`,
  );
});
