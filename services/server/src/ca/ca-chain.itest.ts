import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { SERVER_TLS_NAME } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { caMaterial, vouchFor } from './ca-certificate.ts';
import { advance, type CaEvent, type CaStep } from './ca-set.machine.ts';
import { makeNextCa, openCaStore, writeSet } from './ca-store.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { certificatePem } from './x509.ts';

/** What other TLS programs (OpenSSL's rules) make of the server's chain: those that call the API with a kept ca.crt. */
describe('the chain that a server shows', () => {
  let folder: string;
  let ca: CertificateAuthority;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'modfleet-chain-'));
    ca = await CertificateAuthority.open(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** A step, without the database that guards it. @returns PEM of the CA that issues then. */
  async function step(name: CaStep): Promise<string> {
    const now = new Date();
    const options = { folder, passphrase: undefined };
    const { set, trusted } = await openCaStore(options, now);
    let event: CaEvent = { step: 'finish' };
    if (name === 'begin') {
      const [current] = trusted;
      if (current === undefined) throw new Error('no CA');
      const { record: next, writeKey } = await makeNextCa(options, current, now);
      writeKey();
      const vouching = await vouchFor(caMaterial(Buffer.from(next.certificate, 'base64'), null), current, now);
      event = {
        step: name,
        next: { ...next, vouchedBy: { id: current.id, certificate: vouching.toString('base64') } },
      };
    } else event = { step: name };
    const decision = advance(set, event, now);
    if (decision.kind === 'refused') throw new Error(decision.reason);
    writeSet(folder, decision.set);
    expect(await ca.reload()).toBe(true);
    return ca.certificatePem;
  }

  /** Which of these CAs, trusted alone, make a Node TLS client take the server. */
  async function takenBy(trusted: readonly string[]): Promise<boolean[]> {
    const { certificatePem: cert, keyPem: key } = await ca.issueServerIdentity([]);
    const server = createServer({ cert, key }, (socket) => socket.on('error', () => undefined).end());
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const { port } = server.address() as AddressInfo;
    const taken = await Promise.all(
      trusted.map(
        (root) =>
          new Promise<boolean>((done) => {
            const socket = connect({ host: '127.0.0.1', port, servername: SERVER_TLS_NAME, ca: root });
            socket.once('secureConnect', () => done(socket.authorized));
            socket.once('error', () => done(false));
            socket.once('close', () => done(false));
          }),
      ),
    );
    await new Promise<void>((closed) => server.close(() => closed()));
    return taken;
  }

  it('is good for whoever trusts a CA from before, through two rotations; and for nobody who trusts another', async () => {
    const first = ca.certificatePem;
    const otherFolder = join(folder, 'other');
    const stranger = (await CertificateAuthority.open(otherFolder)).certificatePem;
    expect(await takenBy([first, stranger])).toEqual([true, false]);
    await step('begin');
    const next = certificatePem(ca.trusted[1]?.certificate ?? Buffer.alloc(0));
    expect(await takenBy([first, next])).toEqual([true, false]);
    const second = await step('issue');
    expect(second).toBe(next);
    expect(await takenBy([first, second, `${first}${second}`, stranger])).toEqual([true, true, true, false]);
    await step('finish');
    expect(await takenBy([first, second, stranger])).toEqual([true, true, false]);
    await step('begin');
    const third = await step('issue');
    expect(await takenBy([first, second, third, stranger])).toEqual([true, true, true, false]);
    await step('finish');
    expect(await takenBy([first, second, third, stranger])).toEqual([true, true, true, false]);
    // The new CA never vouches for the old one: whoever has dropped it does not come to trust it again.
    await step('back');
    await step('back');
    expect(ca.certificatePem).toBe(second);
    expect(await takenBy([first, second, third])).toEqual([true, true, false]);
  });
});
