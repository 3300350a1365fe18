import { generateKeyPairSync, sign } from 'node:crypto';
import {
  type ActionRequest,
  commandBytes,
  commandCertificateName,
  complaintAboutSignature,
  UNSIGNED,
  Verb,
} from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { aRequest, HOST_ID } from '../../actions/testing/builders.ts';
import { TestAuthority } from '../../testing/test-authority.ts';
import { TestCommands } from '../../testing/test-commands.ts';
import { CommandVerifier } from './command-verifier.ts';

const NOW = Date.now();
const commands = await TestCommands.create();
const authorities = [commands.authority];
const unsigned = aRequest({ epoch: 1, sequence: 7, notBeforeMs: NOW, expiresAtMs: NOW + 120_000 });
const signed = commands.sign(unsigned);
const complaint = (request: ActionRequest, by = authorities) => complaintAboutSignature(request, by);

describe('a signature', () => {
  it('is believed when the CA that is known here made its certificate', () => {
    expect(complaint(signed)).toBeUndefined();
  });

  it.each<[string, Partial<ActionRequest>]>([
    ['action id', { actionId: '00000000-0000-4000-8000-00000000000b' }],
    ['host', { hostId: '00000000-0000-4000-8000-00000000000c' }],
    ['verb', { verb: Verb.VERB_UNLOAD }],
    ['kmod', { kmod: 'floppy' }],
    ['parameters', { parameters: ['a=1'] }],
    ['dry run', { dryRun: true }],
    ['expiry', { expiresAtMs: NOW + 121_000 }],
    ['confirm window', { confirmWindowSeconds: 30 }],
    ['overrides', { overrides: ['route'] }],
    ['epoch', { epoch: 2 }],
    ['sequence', { sequence: 8 }],
    ['not-before', { notBeforeMs: NOW - 1 }],
    ['signature', { signature: Buffer.alloc(64) }],
    ['length of the signature', { signature: signed.signature.subarray(1) }],
    ['certificate', { commandCertificate: commands.certificate(2) }],
    ['certificate that is none', { commandCertificate: Buffer.from('x') }],
    ['epoch 0', { epoch: 0 }],
    ['sequence 0', { sequence: 0 }],
  ])('does not survive another %s', (_what, change) => {
    expect(complaint({ ...signed, ...change })?.code).toBe('signature_invalid');
  });

  it('says nothing of how often the command was sent', () => {
    expect(complaint({ ...signed, sentBefore: true })).toBeUndefined();
  });

  it('has to be there, and a server without one is to be upgraded', () => {
    expect(complaint(aRequest())?.code).toBe('unsigned');
    expect(complaint(aRequest())?.message).toContain('upgrade the server first');
    expect(complaint({ ...signed, ...UNSIGNED, epoch: 1 })?.code).toBe('signature_invalid');
  });

  it('counts with a certificate for commands of its epoch only', async () => {
    const { publicKey, privateKey } = commands.key;
    const { ca } = commands;
    const day = (fromDays: number, toDays: number) => ({ fromDays, toDays });
    const bad: readonly [string, Buffer][] = [
      ['not made for commands', await ca.command(publicKey, { usages: ['1.3.6.1.5.5.7.3.2'] })],
      ['not made for commands', await ca.command(publicKey, { usages: ['1.3.6.1.5.5.7.3.1', '2.25.1'] })],
      ['not made for commands', await ca.command(publicKey, { isCa: true })],
      ['it says epoch 1', await ca.command(publicKey, { name: commandCertificateName(2) })],
      ['it says epoch 1', await ca.command(publicKey, { name: 'modfleet-server' })],
      ['whole time', await ca.command(publicKey, { dates: day(-10, -1) })],
      ['whole time', await ca.command(publicKey, { dates: day(1, 10) })],
      ['certificate authority', await ca.command(publicKey, { issuer: 'another CA' })],
      ['certificate authority', await (await TestAuthority.create()).command(publicKey)],
      ['Ed25519', await ca.command(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)],
      ['another key', await ca.command(generateKeyPairSync('ed25519').publicKey)],
    ];
    for (const [why, certificate] of bad) {
      const found = complaint(commands.signedBy(unsigned, privateKey, certificate));
      expect(found).toMatchObject({ code: 'signature_invalid', message: expect.stringContaining(why) });
    }
    expect(complaint(commands.signedBy(unsigned, privateKey, await ca.command(publicKey)))).toBeUndefined();
  });

  it('counts over these bytes and no others: a digest alone, signed elsewhere, is none', () => {
    const digestAlone = commandBytes(unsigned).subarray(20);
    const signature = sign(null, digestAlone, commands.key.privateKey);
    expect(complaint({ ...signed, signature })?.code).toBe('signature_invalid');
  });

  it('counts for nobody who knows no CA, and for whoever knows two, by either', async () => {
    const other = await TestCommands.create(1);
    expect(complaint(signed, [])?.message).toContain('no certificate authority is known here');
    expect(complaint(signed, [other.authority, commands.authority])).toBeUndefined();
    expect(complaint(other.sign(unsigned), [other.authority, commands.authority])).toBeUndefined();
    expect(complaint(other.sign(unsigned))?.code).toBe('signature_invalid');
  });
});

describe('a command', () => {
  const verifier = (hostId: string, now: number | undefined) =>
    new CommandVerifier(() => ({ hostId, authorities }), {
      now: () => (now === undefined ? undefined : { ms: now, errorMs: 10 }),
    });

  it('is for one host', async () => {
    expect(await verifier(HOST_ID, NOW).verify(signed)).toEqual({ kind: 'ok' });
    expect(await verifier('00000000-0000-4000-8000-00000000000c', NOW).verify(signed)).toMatchObject({
      code: 'wrong_host',
    });
  });

  it('is not for a time before it was accepted, but for clocks that part', async () => {
    expect(await verifier(HOST_ID, NOW - 60_000).verify(signed)).toEqual({ kind: 'ok' });
    expect(await verifier(HOST_ID, NOW - 3_600_000).verify(signed)).toMatchObject({ code: 'not_yet' });
    // Without a server time nothing begins, whatever is said here.
    expect(await verifier(HOST_ID, undefined).verify(signed)).toEqual({ kind: 'ok' });
  });
});
