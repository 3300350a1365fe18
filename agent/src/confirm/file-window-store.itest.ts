import { mkdtempSync, readdirSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileWindowStore } from './file-window-store.ts';
import { aPlan, aReport } from './testing/builders.ts';

const PLAN = aPlan();
const REPORT = aReport();

let folder: string;
let store: FileWindowStore;
const fileOf = (name: string) => path.join(folder, 'confirm', name);
const names = () => readdirSync(path.join(folder, 'confirm')).sort();

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'modfleet-store-'));
  store = new FileWindowStore(folder);
});
afterEach(() => rmSync(folder, { recursive: true }));

it('tells what cannot be read from what cannot be understood', async () => {
  await store.put(PLAN);
  unlinkSync(fileOf('pending.json'));
  // ELOOP: as EMFILE or EIO, it says nothing about the file.
  symlinkSync('pending.json', fileOf('pending.json'));
  expect(await store.look()).toMatchObject({ kind: 'unreadable' });
  await expect(store.setAside()).rejects.toThrow('ELOOP');
  await expect(store.put(PLAN)).rejects.toThrow('ELOOP');
  unlinkSync(fileOf('pending.json'));
  writeFileSync(fileOf('pending.json'), JSON.stringify({ ...PLAN, format: 2 }));
  expect(await store.look()).toMatchObject({ kind: 'damaged' });
});

it('moves aside what cannot be understood, and nothing else', async () => {
  await store.put(PLAN);
  await store.claim();
  writeFileSync(fileOf('reverted.json'), '{');
  writeFileSync(fileOf('reverted.json.damaged-1'), 'of an earlier one');
  // A report that cannot be understood is none: the revert is had again.
  expect(await store.look()).toMatchObject({ kind: 'reverting' });
  expect(await store.setAside()).toEqual([fileOf('reverted.json.damaged-2')]);
  expect(names()).toEqual(['reverted.json.damaged-1', 'reverted.json.damaged-2', 'reverting.json']);
  await store.report(REPORT);
  expect(await store.look()).toMatchObject({ kind: 'reverted', report: { actionId: 'a1' } });
});

it('believes a report whose plan is damaged', async () => {
  await store.put(PLAN);
  await store.claim();
  await store.report(REPORT);
  writeFileSync(fileOf('reverting.json'), '');
  expect(await store.look()).toEqual({ kind: 'reverted', plan: undefined, report: REPORT });
});
