import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { QuietLog } from '../actions/testing/simulated-host.ts';
import { NodeExec } from '../exec/node-exec.ts';
import { LockedRevertOwner } from './locked-revert-owner.ts';

let folder: string;
const ownerOf = (stateDir: string, exec = new NodeExec()) => new LockedRevertOwner(exec, stateDir, new QuietLog());

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'modfleet-owner-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('lets one of many that begin in the same moment work, and the next when that one has ended', async () => {
  const owners = Array.from({ length: 10 }, () => ownerOf(folder));
  const taken = await Promise.all(owners.map((owner) => owner.take()));
  expect(taken.filter(Boolean)).toHaveLength(1);
  const next = ownerOf(folder);
  expect([await next.take(), await next.atWork()]).toEqual([false, 'somebody']);
  await Promise.all(owners.map((owner) => owner.drop()));
  expect([await next.atWork(), await next.take()]).toEqual(['nobody', true]);
  await next.drop();
});

it('stops nobody where there is no program to lock with', async () => {
  const owner = ownerOf(folder, new NodeExec({ folders: [] }));
  expect([await owner.atWork(), await owner.take()]).toEqual(['not_known', true]);
  await owner.drop();
});

it('stops nobody when there is no folder to lock', async () => {
  const noFolder = path.join(folder, 'file');
  writeFileSync(noFolder, '');
  const owner = ownerOf(noFolder);
  expect(await owner.take()).toBe(true);
  await owner.drop();
});
