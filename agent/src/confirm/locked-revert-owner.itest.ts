import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { LockedRevertOwner } from './locked-revert-owner.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'modfleet-owner-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('lets one of many that begin in the same moment work, and the next when that one has ended', async () => {
  const owners = Array.from({ length: 10 }, () => new LockedRevertOwner(folder));
  const taken = await Promise.all(owners.map((owner) => owner.take()));
  expect(taken.filter(Boolean)).toHaveLength(1);
  const next = new LockedRevertOwner(folder);
  expect(await next.take()).toBe(false);
  await Promise.all(owners.map((owner) => owner.drop()));
  expect(await next.take()).toBe(true);
  await next.drop();
});

it('stops nobody when there is no folder to lock', async () => {
  const noFolder = path.join(folder, 'file');
  writeFileSync(noFolder, '');
  const owner = new LockedRevertOwner(noFolder);
  expect(await owner.take()).toBe(true);
  await owner.drop();
});
