/**
 * A PKCS #10 certificate request (RFC 2986) for a P-256 key. Written by hand because it is one fixed shape of a hundred bytes; the libraries that
 * make it bring several MiB into a resident process that needs it once in its life.
 */
import { createPublicKey, sign } from 'node:crypto';

/** DER tags (X.690). */
const TAG = {
  integer: 0x02,
  bitString: 0x03,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  attributes: 0xa0,
} as const;

/** id-at-commonName, 2.5.4.3. */
const COMMON_NAME = Buffer.from('550403', 'hex');

/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758). */
const ECDSA_SHA256 = Buffer.from('2a8648ce3d040302', 'hex');

/** A request for this key (PKCS #8, PEM), DER. The subject means nothing: the server chooses the host's name. */
export function makeCertificateRequest(keyPem: string): Uint8Array {
  const subject = tlv(
    TAG.sequence,
    tlv(TAG.set, tlv(TAG.sequence, tlv(TAG.oid, COMMON_NAME), tlv(TAG.utf8String, Buffer.from('modfleet-host')))),
  );
  const spki = createPublicKey(keyPem).export({ type: 'spki', format: 'der' });
  const info = tlv(TAG.sequence, tlv(TAG.integer, Buffer.from([0])), subject, spki, tlv(TAG.attributes));
  const signature = Buffer.concat([Buffer.from([0]), sign('sha256', info, { key: keyPem, dsaEncoding: 'der' })]);
  return tlv(TAG.sequence, info, tlv(TAG.sequence, tlv(TAG.oid, ECDSA_SHA256)), tlv(TAG.bitString, signature));
}

/** Tag, length, value. */
function tlv(tag: number, ...parts: readonly Buffer[]): Buffer {
  const value = Buffer.concat(parts);
  const { length } = value;
  const header =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(header), value]);
}
