/** Who this host is, once a server has made it one. */
export interface HostIdentity {
  /** UUID, made by the server, never reused. */
  readonly hostId: string;
  /** Host certificate, PEM. */
  readonly certificatePem: string;
  /** The CA's certificate, PEM: the only root that the agent trusts. While the CA is rotated two, the one that issues first (trust.ts). */
  readonly caPem: string;
  /** Of the bundle that said so; 0 before the first. */
  readonly trustGeneration: number;
  /** That bundle as it came (a TrustBundle, base64), for the helper, which believes a CA only; undefined before the first. */
  readonly trustBundle?: string | undefined;
  /** Where the server was when the host joined. */
  readonly server: { readonly host: string; readonly identityPort: number; readonly sessionPort: number };
}

/** Key and identity on disk. */
export interface IdentityStore {
  /** The identity; undefined before the host has joined. @throws IdentityStoreError */
  load(): Promise<HostIdentity | undefined>;
  /** Keeps the identity; when this returns it survives a crash. @throws IdentityStoreError */
  save(identity: HostIdentity): Promise<void>;
  /** The private key (PKCS #8, PEM); undefined before one was made. @throws IdentityStoreError */
  loadKey(): Promise<string | undefined>;
  /** Keeps the private key, before it is shown to anyone. @throws IdentityStoreError */
  saveKey(pem: string): Promise<void>;
  /** Puts key and identity aside, so that the machine can join as a new host. @throws IdentityStoreError */
  setAside(): Promise<void>;
}

/** The agent's own files cannot be used. */
export class IdentityStoreError extends Error {
  readonly code = 'identity_store';
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'IdentityStoreError';
  }
}
