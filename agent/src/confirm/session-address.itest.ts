import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { noRecovery, sessionAddressOf } from './session-address.ts';

const SERVER = { host: 'modfleet.example.com', port: 7782 };
let state_dir: string;

beforeEach(() => {
  state_dir = mkdtempSync(path.join(tmpdir(), 'modfleet-address-'));
});
afterEach(() => rmSync(state_dir, { recursive: true }));

it('is what root wrote, where the courier is another user: nothing of its folder counts', async () => {
  writeFileSync(path.join(state_dir, 'identity.json'), '{"server":{"host":"192.0.2.1","sessionPort":1}}');
  expect(await sessionAddressOf({ state_dir, server: SERVER }, true)).toEqual(SERVER);
  expect(await sessionAddressOf({ state_dir, server: undefined }, true)).toBeUndefined();
});

it('says where a reboot is wanted and will not come', () => {
  expect(noRecovery({ reboot_to_recover: true, server: undefined }, true)).toContain('server: HOST:PORT');
  expect(noRecovery({ reboot_to_recover: true, server: SERVER }, true)).toBeUndefined();
  expect(noRecovery({ reboot_to_recover: true, server: undefined }, false)).toBeUndefined();
  expect(noRecovery({ reboot_to_recover: false, server: undefined }, true)).toBeUndefined();
});
