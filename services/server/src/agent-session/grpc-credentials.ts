import { constants } from 'node:crypto';
import { ServerCredentials } from '@grpc/grpc-js';

/**
 * TLS of a listener for agents. All that ever connects is an agent of ours, so there is nothing older to be kind to.
 *
 * INVARIANTS
 * - TLS 1.3 only: no renegotiation, no weak suite, no certificate in the clear.
 * - No session is resumed: each connection shows its certificate and has it checked. A ticket would let a certificate live on after its end, and a full
 *   handshake on P-256 costs a millisecond.
 *
 * `ServerCredentials.createSsl` can say neither (ADR 0032).
 */
export class AgentTlsCredentials extends ServerCredentials {
  /** All PEM. @param clientCa the CAs of which a client must show a certificate; null: none is asked for. */
  constructor(own: { readonly key: Buffer; readonly chain: Buffer }, clientCa: Buffer | null) {
    super(
      { requestCert: clientCa !== null, rejectUnauthorized: clientCa !== null },
      {
        key: own.key,
        cert: own.chain,
        minVersion: 'TLSv1.3',
        // Without it a ticket would hold the whole session; with it OpenSSL asks a store for it, and there is none.
        secureOptions: constants.SSL_OP_NO_TICKET,
        ...(clientCa === null ? {} : { ca: clientCa }),
      },
    );
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}
