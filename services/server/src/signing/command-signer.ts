import { createHash, sign } from 'node:crypto';
import { type ActionRequest, commandBytes } from '@modfleet/proto';
import type { CertificateAuthority } from '../ca/certificate-authority.ts';
import { spkiOf } from '../ca/x509.ts';
import type { ServerKeys } from '../keys/server-keys.ts';

/** A certificate of the command key, for one epoch. */
export interface CommandCertificate {
  /** SHA-256 of the DER. */
  readonly id: Buffer;
  readonly der: Buffer;
}

/** What makes a request a command. */
export interface Envelope {
  /** Ed25519, 64 bytes. */
  readonly signature: Buffer;
  readonly certificate: CommandCertificate;
}

/**
 * A certificate is used for a day and lives for four: an action that lives for a day, and is asked about for another after its expiry, is covered by the one that it
 * was signed with.
 */
const USE_MS = 24 * 60 * 60 * 1000;

/** Certifies the key; `certificate`: of the CA that issues now. */
type Authority = Pick<CertificateAuthority, 'issueCommandCertificate' | 'certificate'>;

/**
 * Signs commands, with the key in STATE_DIR/keys.
 *
 * INVARIANTS
 * - Called where actions are accepted, by nothing else (.dependency-cruiser.cjs): what forwards commands cannot make one.
 * - A certificate is for one epoch: an old epoch's certificate signs nothing of a new one.
 * - It is of the CA that issues now: what an older one certified is refused by hosts once the rotation is finished.
 */
export class CommandSigner {
  readonly #keys: Pick<ServerKeys, 'command'>;
  readonly #authority: Authority;
  readonly #now: () => number;
  #current:
    | {
        readonly epoch: number;
        readonly issuer: Buffer;
        readonly madeAt: number;
        readonly certificate: Promise<CommandCertificate>;
      }
    | undefined;

  constructor(keys: Pick<ServerKeys, 'command'>, authority: Authority, now: () => number = Date.now) {
    this.#keys = keys;
    this.#authority = authority;
    this.#now = now;
  }

  /** @param request whole, but for signature and certificate. */
  async sign(request: ActionRequest): Promise<Envelope> {
    const certificate = await this.#certificateOf(request.epoch);
    return { signature: sign(null, commandBytes(request), this.#keys.command), certificate };
  }

  #certificateOf(epoch: number): Promise<CommandCertificate> {
    const now = this.#now();
    const issuer = this.#authority.certificate;
    const isUsable =
      this.#current?.epoch === epoch &&
      this.#current.issuer.equals(issuer) &&
      Math.abs(now - this.#current.madeAt) < USE_MS;
    if (this.#current !== undefined && isUsable) return this.#current.certificate;
    const certificate = this.#make(epoch);
    const made = { epoch, issuer, madeAt: now, certificate };
    this.#current = made;
    certificate.catch(() => {
      if (this.#current === made) this.#current = undefined;
    });
    return certificate;
  }

  async #make(epoch: number): Promise<CommandCertificate> {
    const { der } = await this.#authority.issueCommandCertificate(spkiOf(this.#keys.command), epoch);
    return { id: createHash('sha256').update(der).digest(), der };
  }
}
