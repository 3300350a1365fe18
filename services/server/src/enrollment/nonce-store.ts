import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { NONCE_BYTES } from '@modfleet/proto';

/** Good for 60 s: a slow line and a busy host, nothing more. */
const LIFETIME_MS = 60_000;
/** Bounded, because anybody may ask: the oldest go first. */
const CAPACITY = 4_096;

/** Nonces that were handed out, each good once; the services of one process share them. */
@Injectable()
export class NonceStore {
  readonly #issuedAt = new Map<string, number>();

  /** `now` in ms of a steady clock. */
  issue(now: number): Buffer {
    const nonce = randomBytes(NONCE_BYTES);
    this.#issuedAt.set(nonce.toString('hex'), now);
    for (const oldest of this.#issuedAt.keys()) {
      if (this.#issuedAt.size <= CAPACITY) break;
      this.#issuedAt.delete(oldest);
    }
    return nonce;
  }

  /** When it was issued, once for each nonce, within its time. */
  redeem(nonce: Uint8Array, now: number): number | undefined {
    const key = Buffer.from(nonce).toString('hex');
    const issuedAt = this.#issuedAt.get(key);
    this.#issuedAt.delete(key);
    return issuedAt !== undefined && now - issuedAt <= LIFETIME_MS ? issuedAt : undefined;
  }
}
