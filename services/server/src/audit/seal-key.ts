import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { NO_SEAL, type Seal, sealBytes } from './seal.model.ts';

/** RFC 8410, section 7: PKCS #8 of an Ed25519 key up to its 32 bytes. */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const KEY_ID_BYTES = 8;

/** Proves seals; the public half is for everybody. */
export class SealVerifier {
  readonly publicKey: KeyObject;
  /** First bytes of the SHA-256 of the public key (SPKI, DER). */
  readonly keyId: Buffer;

  constructor(publicKey: KeyObject) {
    this.publicKey = publicKey;
    const der = publicKey.export({ type: 'spki', format: 'der' });
    this.keyId = createHash('sha256').update(der).digest().subarray(0, KEY_ID_BYTES);
  }

  get pem(): string {
    return this.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }

  proves(seal: Seal): boolean {
    return seal.keyId.equals(this.keyId) && verify(null, sealBytes(seal), this.publicKey, seal.signature);
  }
}

/** Signs seals. */
export class SealSigner {
  readonly verifier: SealVerifier;
  readonly #key: KeyObject;

  /** @param seed 32 bytes: sealing key of purpose `audit-seal`. */
  constructor(seed: KeyObject) {
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_ED25519, seed.export()]), format: 'der', type: 'pkcs8' });
    this.verifier = new SealVerifier(createPublicKey(this.#key));
  }

  sign(unsigned: Omit<Seal, 'keyId' | 'signature'>): Seal {
    const seal = { ...unsigned, keyId: this.verifier.keyId, signature: NO_SEAL };
    return { ...seal, signature: sign(null, sealBytes(seal), this.#key) };
  }
}
