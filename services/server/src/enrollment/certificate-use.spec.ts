import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hostCertificateSerial } from '../ca/certificate-serial.ts';
import { certificateUse } from './certificate-use.ts';

/** A server that issues and judges, as far as that takes no clock. */
class Issuer {
  counter = 1;
  used = '';
  clone = false;
  issue = (): string => hostCertificateSerial((this.counter += 1));

  /** True when the certificate counts. */
  use(serial: string): boolean {
    if (certificateUse(serial, this.used) === 'superseded') return !(this.clone = true);
    this.used = serial;
    return true;
  }
}

/** What a machine that behaves may do, in any order: renew with the answer kept, lost or kept without being used, connect, crash. */
const honest = fc.array(fc.constantFrom('renew', 'lose', 'connect', 'crash'), { maxLength: 60 });

describe('certificates in rising order', () => {
  it('never call one machine two, however many answers are lost', () => {
    fc.assert(
      fc.property(honest, (steps) => {
        const server = new Issuer();
        let kept = hostCertificateSerial(1);
        for (const step of steps) {
          expect(server.use(kept)).toBe(true);
          if (step === 'renew') kept = server.issue();
          if (step === 'lose') server.issue();
        }
        expect(server.clone).toBe(false);
      }),
    );
  });

  it('show a copy as soon as both have gone on: at the first word of the one that did not', () => {
    fc.assert(
      fc.property(honest, honest, (before, after) => {
        const server = new Issuer();
        let kept = hostCertificateSerial(1);
        for (const step of before) {
          server.use(kept);
          if (step === 'renew') kept = server.issue();
        }
        server.use(kept);
        // One of the two goes on, and uses what it got.
        let gone = kept;
        for (const step of [...after, 'renew']) {
          server.use(gone);
          if (step === 'renew') gone = server.issue();
        }
        server.use(gone);
        expect(server.clone).toBe(false);
        expect(server.use(kept)).toBe(false);
      }),
    );
  });

  it('two that hold answers to one and the same request are found out, too', () => {
    const server = new Issuer();
    server.use(hostCertificateSerial(1));
    const [a, b] = [server.issue(), server.issue()];
    expect([server.use(a), server.use(b), server.use(a)]).toEqual([true, true, false]);
  });

  it('from before there were counters all count, until one with a counter was used', () => {
    const [old, older] = ['4f'.repeat(16), '61'.repeat(16)];
    expect(certificateUse(old, older)).toBe('current');
    expect(certificateUse(hostCertificateSerial(1), old)).toBe('current');
    expect(certificateUse(old, hostCertificateSerial(1))).toBe('superseded');
  });

  it('after a release whichever comes next is the current one', () => {
    expect(certificateUse(hostCertificateSerial(3), '')).toBe('current');
  });
});
