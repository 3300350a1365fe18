/** What ends a signed kmod file (scripts/sign-file.c). */
const MAGIC = '~Module signature appended~\n';

/** struct module_signature: algo, hash, id_type, signer_len, key_id_len, 3 of padding, sig_len as 32 bits big endian. */
const TRAILER_BYTES = 12;

/** id_type of a CMS (PKCS#7) signature; older forms have the name in clear. */
const ID_TYPE_PKCS7 = 2;

/** 2.5.4.3, commonName, as DER. */
const COMMON_NAME_OID = Buffer.from([0x55, 0x04, 0x03]);

/** Tags that are walked (X.690). */
const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_IDENTIFIER = 0x06;

/**
 * The signer's common name of a signed kmod file; an empty string for a signature that names none, undefined for an unsigned file. Says who
 * signed, not that the signature is good: that is the kernel's word.
 */
export function signerOf(file: Uint8Array): string | undefined {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < MAGIC.length + TRAILER_BYTES || bytes.subarray(-MAGIC.length).toString('latin1') !== MAGIC)
    return undefined;
  const trailer = bytes.length - MAGIC.length - TRAILER_BYTES;
  const signatureBytes = bytes.readUInt32BE(trailer + 8);
  const signerBytes = bytes[trailer + 3] ?? 0;
  const keyIdBytes = bytes[trailer + 4] ?? 0;
  const start = trailer - signatureBytes;
  if (start < 0) return '';
  if (bytes[trailer + 2] !== ID_TYPE_PKCS7) {
    return bytes
      .subarray(Math.max(0, start - keyIdBytes - signerBytes), Math.max(0, start - keyIdBytes))
      .toString('utf8');
  }
  try {
    return commonNameOfSigner(bytes.subarray(start, trailer)) ?? '';
  } catch (error) {
    if (error instanceof RangeError) return '';
    throw error;
  }
}

/** ContentInfo > [0] > SignedData > signerInfos (the last) > SignerInfo > issuerAndSerialNumber > issuer > commonName (RFC 5652). */
function commonNameOfSigner(cms: Buffer): string | undefined {
  const signedData = children(children(children(cms)[0]?.content)[1]?.content)[0];
  const signerInfos = children(signedData?.content).findLast((part) => part.tag === SET);
  const signerInfo = children(signerInfos?.content)[0];
  const signerId = children(signerInfo?.content)[1];
  if (signerId?.tag !== SEQUENCE) return undefined;
  for (const rdn of children(children(signerId.content)[0]?.content)) {
    const [type, value] = children(children(rdn.content)[0]?.content);
    if (type?.tag === OBJECT_IDENTIFIER && type.content.equals(COMMON_NAME_OID)) return value?.content.toString('utf8');
  }
  return undefined;
}

interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** The DER elements side by side in `bytes`. RangeError when one is cut. */
function children(bytes: Buffer | undefined): Element[] {
  const elements: Element[] = [];
  let offset = 0;
  while (bytes !== undefined && offset < bytes.length) {
    const tag = bytes.readUInt8(offset++);
    let length = bytes.readUInt8(offset++);
    if (length > 0x80) {
      const lengthBytes = length & 0x7f;
      length = bytes.readUIntBE(offset, lengthBytes);
      offset += lengthBytes;
    }
    if (offset + length > bytes.length) throw new RangeError('DER element is cut');
    elements.push({ tag, content: bytes.subarray(offset, offset + length) });
    offset += length;
  }
  return elements;
}
