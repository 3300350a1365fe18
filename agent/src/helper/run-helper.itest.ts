import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { duplexPair } from 'node:stream';
import { type ActionRequest, type TrustBundle, trustBundleBytes } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aRequest, HOST_ID } from '../actions/testing/builders.ts';
import { QuietLog } from '../actions/testing/simulated-host.ts';
import { linkOver } from '../courier/helper-link.ts';
import { TestCommands } from '../testing/test-commands.ts';
import { runHelper } from './run-helper.ts';
import { keepCas, keptCas } from './trusted-cas.ts';
import { HELPER_PROTOCOL, type HelperKind } from './wire/protocol.ts';

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
  const [courierEnd, helperEnd] = duplexPair();
  const stop = new AbortController();
  const helper = runHelper({
    kind,
    config,
    stateDir,
    hostId: undefined,
    isApart: false,
    input: helperEnd,
    output: helperEnd,
    log: new QuietLog(),
    signal: stop.signal,
  });
  const link = linkOver(courierEnd);
  const code = new Promise<string>((resolve, reject) => {
    link.onWord((word) => {
      const { actionId } = command;
      if (word.$case === 'rejected' && word.value.actionId === actionId) resolve(word.value.code);
      // Those of the commands before are told, too: nobody has acknowledged them.
      if (word.$case === 'result' && word.value.actionId === actionId) resolve(word.value.reasonCode);
      if (word.$case === 'refused') reject(new Error(word.value.message));
    });
    link.onEnd((why) => reject(new Error(why)));
  });
  const caCertificates = [first.authority.raw];
  const open = { protocol: HELPER_PROTOCOL, hostId: HOST_ID, time: undefined, way: undefined, caCertificates, trust };
  link.send({ $case: 'open', value: open });
  link.send({ $case: 'submit', value: command });
  const said = await code.finally(() => {
    link.close();
    stop.abort();
  });
  await helper;
  return said !== 'signature_invalid';
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
