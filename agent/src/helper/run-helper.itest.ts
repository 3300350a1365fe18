import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ActionRequest, type TrustBundle, trustBundleBytes } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRequest } from '../actions/testing/builders.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { askHelper } from './testing/ask-helper.ts';
import { keepCas, keptCas } from './trusted-cas.ts';
import type { HelperKind } from './wire/protocol.ts';

let folder: string;
let stateDir: string;
let config: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'modfleet-run-helper-'));
  stateDir = path.join(folder, 'state');
  config = path.join(folder, 'agent.yaml');
  await mkdir(path.join(folder, 'root'));
  await writeFile(config, `mode: act\nroot: ${path.join(folder, 'root')}\n`, { mode: 0o600 });
});
afterEach(() => rm(folder, { recursive: true }));

const [first, second] = [await TestCommands.create(1), await TestCommands.create(1)];

function bundle(generation: number, cas: readonly TestCommands[]): TrustBundle {
  const caCertificates = cas.map((one) => one.authority.raw);
  const signature = cas[0]?.ca.sign(trustBundleBytes(generation, caCertificates)) ?? Buffer.alloc(0);
  return { generation, caCertificates, vouchingCertificates: [], signature, spreadMs: 0 };
}

/** Whether a helper of this machine believes a command, when a courier opens with this bundle. As systemd starts it, for a courier's socket. */
async function believes(kind: HelperKind, trust: TrustBundle | undefined, command: ActionRequest): Promise<boolean> {
  const { code } = await askHelper({ kind, config, stateDir, authority: first.authority, trust }, command);
  return code !== 'signature_invalid';
}

describe('the helper of a machine', () => {
  const now = Date.now();
  let number = 0;
  const command = (by: TestCommands, dryRun = false): ActionRequest => {
    number += 1;
    const actionId = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
    return by.sign(
      aRequest({ actionId, dryRun, epoch: 1, sequence: number, notBeforeMs: now, expiresAtMs: now + 60_000 }),
    );
  };

  it('keeps what a bundle says for the helpers after it, and does not go back', async () => {
    expect(await believes('act', undefined, command(first))).toBe(true);
    expect(await believes('act', undefined, command(second))).toBe(false);
    const both = bundle(2, [first, second]);
    expect(await believes('act', both, command(second))).toBe(true);
    // A courier that withholds it takes nothing away.
    expect(await believes('act', undefined, command(second))).toBe(true);
    expect(await believes('act', bundle(3, [second]), command(first))).toBe(false);
    expect(await believes('act', both, command(first))).toBe(false);
    expect(await believes('act', undefined, command(second))).toBe(true);
    const kept = await keptCas(stateDir);
    expect(kept?.generation).toBe(3);
    expect(kept?.cas.map((ca) => ca.fingerprint256)).toEqual([second.authority.fingerprint256]);
  });

  it('that only looks goes by the same bundle, and writes nothing', async () => {
    await keepCas(stateDir, { generation: 0, cas: [first.authority] });
    const before = [await readdir(stateDir), await readFile(path.join(stateDir, 'trusted-cas.pem'), 'utf8')];
    expect(await believes('evidence', undefined, command(second, true))).toBe(false);
    expect(await believes('evidence', bundle(2, [first, second]), command(second, true))).toBe(true);
    expect(await believes('evidence', bundle(2, [second]), command(second, true))).toBe(false);
    expect([await readdir(stateDir), await readFile(path.join(stateDir, 'trusted-cas.pem'), 'utf8')]).toEqual(before);
  });
});
