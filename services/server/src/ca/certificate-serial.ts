import { randomBytes, type X509Certificate } from 'node:crypto';

/*
 * The serial number of a host's certificate is also a counter document (docs/adr/0027): the CA has signed which of the host's certificates it is, and
 * the host cannot keep one without the other. 16 bytes, positive (RFC 5280, 4.1.2.2): 0x01, the counter in 6 bytes, 9 random bytes.
 */

const VERSION = 0x01;
const COUNTER_BYTES = 6;
const RANDOM_BYTES = 9;

/** A new serial number, hex. `counter` is at least 1. */
export function hostCertificateSerial(counter: number): string {
  const head = Buffer.alloc(1 + COUNTER_BYTES);
  head.writeUInt8(VERSION, 0);
  head.writeUIntBE(counter, 1, COUNTER_BYTES);
  return Buffer.concat([head, randomBytes(RANDOM_BYTES)]).toString('hex');
}

/** Which of its host's certificates it is; 0 for one from before there were counters (those begin with 0x40 or more). */
export function counterOf(serial: string): number {
  const bytes = Buffer.from(serial, 'hex');
  return bytes.length === 1 + COUNTER_BYTES + RANDOM_BYTES && bytes[0] === VERSION
    ? bytes.readUIntBE(1, COUNTER_BYTES)
    : 0;
}

/** Serial number, lower-case hex of whole bytes, as the database keeps it. */
export function serialOf(certificate: X509Certificate): string {
  const serial = certificate.serialNumber.toLowerCase();
  return serial.length % 2 === 0 ? serial : `0${serial}`;
}
