import { generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { type ActionRequest, commandBytes, commandCertificateName } from '@modfleet/proto';
import { TestAuthority, type TestDates } from './test-authority.ts';

/** Worlds of tests lie anywhere in time. */
const ALWAYS: TestDates = { fromDays: -20_000, toDays: 20_000 };

/** A server that signs commands: a CA, a key, and a certificate for each epoch that is asked for. */
export class TestCommands {
  readonly #ca: TestAuthority;
  readonly #key: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly #certificates = new Map<number, Buffer>();
  readonly authority: X509Certificate;

  private constructor(ca: TestAuthority) {
    this.#ca = ca;
    this.#key = generateKeyPairSync('ed25519');
    this.authority = new X509Certificate(ca.certificatePem);
  }

  /** `epochs`: how many it can sign in. */
  static async create(epochs = 3): Promise<TestCommands> {
    const commands = new TestCommands(await TestAuthority.create('test CA', ALWAYS));
    for (let epoch = 1; epoch <= epochs; epoch++) {
      const name = commandCertificateName(epoch);
      commands.#certificates.set(epoch, await commands.#ca.command(commands.#key.publicKey, { name, dates: ALWAYS }));
    }
    return commands;
  }

  get ca(): TestAuthority {
    return this.#ca;
  }

  /** Signed as it is; with number 1 of epoch 1 where it says none. */
  sign(request: ActionRequest): ActionRequest {
    const epoch = request.epoch === 0 ? 1 : request.epoch;
    return this.signedBy(
      { ...request, epoch, sequence: request.sequence === 0 ? 1 : request.sequence },
      this.#key.privateKey,
      this.#certificates.get(epoch) ?? Buffer.alloc(0),
    );
  }

  /** The same with another key or certificate. */
  signedBy(request: ActionRequest, key: KeyObject, certificate: Buffer): ActionRequest {
    return { ...request, signature: sign(null, commandBytes(request), key), commandCertificate: certificate };
  }

  get key(): { readonly publicKey: KeyObject; readonly privateKey: KeyObject } {
    return this.#key;
  }

  certificate(epoch: number): Buffer {
    return this.#certificates.get(epoch) ?? Buffer.alloc(0);
  }
}
