import { join } from 'node:path';
import type { ActionRequest } from '@modfleet/proto';
import { CertificateAuthority } from '../../../services/server/src/ca/certificate-authority.ts';
import { ServerKeys } from '../../../services/server/src/keys/server-keys.ts';
import { CommandSigner } from '../../../services/server/src/signing/command-signer.ts';

/** Somebody who has the server's keys folder: what they sign is believed, and host policy and protection are what is left. */
export class StolenKey {
  readonly #signer: CommandSigner;
  /** Above all that the server has counted. */
  #sequence = 1_000_000;

  private constructor(signer: CommandSigner) {
    this.#signer = signer;
  }

  static async of(stateDir: string): Promise<StolenKey> {
    const authority = await CertificateAuthority.open(join(stateDir, 'ca'));
    return new StolenKey(new CommandSigner(ServerKeys.open(join(stateDir, 'keys'), undefined), authority));
  }

  async sign(request: ActionRequest): Promise<ActionRequest> {
    this.#sequence += 1;
    const notBeforeMs = Math.min(Date.now(), request.expiresAtMs) - 60_000;
    const whole = { ...request, epoch: 1, sequence: this.#sequence, notBeforeMs };
    const { signature, certificate } = await this.#signer.sign(whole);
    return { ...whole, signature, commandCertificate: certificate.der };
  }
}
