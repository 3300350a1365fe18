import { Inject, Injectable } from '@nestjs/common';
import { CertificateAuthority, type ServerIdentity } from '../ca/certificate-authority.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import type { GrpcListener } from './grpc-listener.ts';

/** Looked at daily, renewed when less than half of its time is left: only a process that runs for half a year ever does. */
const CHECK_MS = 86_400_000;
const RENEW_BEFORE_MS = 200 * 86_400_000;

/** The certificate by which both listeners prove to be this server: new at each start. */
@Injectable()
export class ServerTls {
  readonly #ca: CertificateAuthority;
  readonly #names: readonly string[];
  #identity: ServerIdentity | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'serverNames' | 'sessionListen' | 'identityListen'>,
  ) {
    this.#ca = ca;
    const listening = [config.sessionListen.host, config.identityListen.host].filter(
      (host) => host !== '0.0.0.0' && host !== '::',
    );
    this.#names = [...config.serverNames, ...listening];
  }

  async identity(): Promise<ServerIdentity> {
    this.#identity ??= await this.#ca.issueServerIdentity(this.#names);
    return this.#identity;
  }

  /** Keeps these listeners' certificate young, and by the CA that issues, until `stop`. */
  keepFresh(listeners: readonly GrpcListener[]): void {
    this.#timer = setInterval(() => {
      if (this.#identity !== undefined && this.#identity.notAfter.getTime() - Date.now() > RENEW_BEFORE_MS) return;
      void this.renew(listeners);
    }, CHECK_MS);
    this.#timer.unref();
  }

  /** Another certificate, and the CAs of now, for connections from now on. */
  async renew(listeners: readonly GrpcListener[]): Promise<void> {
    const identity = await this.#ca.issueServerIdentity(this.#names);
    this.#identity = identity;
    for (const listener of listeners) listener.renew(identity, this.#ca.trustedPem);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
