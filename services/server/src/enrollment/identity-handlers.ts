import { randomUUID } from 'node:crypto';
import { type handleUnaryCall, type sendUnaryData, type ServerUnaryCall, status } from '@grpc/grpc-js';
import { Inject, Injectable, Logger } from '@nestjs/common';
import type { IdentityServiceServer, EnrollRequest, EnrollResponse } from '@modfleet/proto';
import { assertNever } from '@modfleet/proto';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { DatabaseUnavailableError } from '../database/database.errors.ts';
import { ERROR_TABLE } from '../errors/error-table.ts';
import { withoutSecrets } from '../logging/logger.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import { DiagnoseService } from './diagnose.service.ts';
import { EnrollmentError } from './enrollment.errors.ts';
import { EnrollmentService } from './enrollment.service.ts';
import { ProofRefusedError } from './key-proof.ts';
import { NonceStore } from './nonce-store.ts';
import { RenewalLateError, RenewService } from './renew.service.ts';

/** What is known of where a call came from. */
export interface IdentityContext {
  readonly sessionPort: () => number;
  /** Who really calls, of one that `call.getPeer()` names. */
  readonly onCall: (peer: string) => string;
}

/** IdentityService, converted to and from gRPC. */
@Injectable()
export class IdentityHandlers {
  readonly #log = new Logger('Identity');
  readonly #enrollment: EnrollmentService;
  readonly #diagnose: DiagnoseService;
  readonly #renew: RenewService;
  readonly #nonces: NonceStore;
  readonly #ca: CertificateAuthority;
  readonly #replica: ReplicaService;
  readonly #calls;

  constructor(
    @Inject(EnrollmentService) enrollment: EnrollmentService,
    @Inject(DiagnoseService) diagnose: DiagnoseService,
    @Inject(RenewService) renew: RenewService,
    @Inject(NonceStore) nonces: NonceStore,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(ReplicaService) replica: ReplicaService,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#enrollment = enrollment;
    this.#diagnose = diagnose;
    this.#renew = renew;
    this.#nonces = nonces;
    this.#ca = ca;
    this.#replica = replica;
    this.#calls = metrics.counter(
      'modfleet_identity_calls_total',
      'Calls on the identity listener, by method and result.',
      ['method', 'result'],
    );
  }

  service(context: IdentityContext): IdentityServiceServer {
    return {
      enroll: this.#unary('enroll', context, (call, peer) => this.#enroll(call, context, peer)),
      challenge: this.#unary('challenge', context, () =>
        Promise.resolve({ nonce: this.#nonces.issue(performance.now()) }),
      ),
      diagnose: this.#unary('diagnose', context, (call) => this.#diagnose.diagnose(call.request)),
      renew: this.#unary('renew', context, (call, peer) =>
        this.#renew.renew(call.request, peer, () => !call.cancelled),
      ),
    };
  }

  async #enroll(
    call: ServerUnaryCall<EnrollRequest, EnrollResponse>,
    context: IdentityContext,
    peer: string,
  ): Promise<EnrollResponse> {
    const { joinToken, csr, facts } = call.request;
    if (facts === undefined) throw new EnrollmentError('facts_invalid', 'The machine said nothing of itself.');
    const host = await this.#enrollment.enroll(joinToken, csr, facts, peer);
    this.#log.log(`host ${host.hostId} (${facts.hostname}) joined from ${peer}`);
    return {
      hostId: host.hostId,
      certificate: host.certificate,
      caCertificate: this.#ca.certificate,
      sessionPort: context.sessionPort(),
      serverTimeMs: this.#replica.nowMs(),
      trust: this.#ca.bundle(),
    };
  }

  #unary<Req, Res>(
    method: string,
    context: IdentityContext,
    run: (call: ServerUnaryCall<Req, Res>, peer: string) => Promise<Res>,
  ): handleUnaryCall<Req, Res> {
    return (call: ServerUnaryCall<Req, Res>, reply: sendUnaryData<Res>) => {
      const peer = context.onCall(call.getPeer());
      run(call, peer).then(
        (response) => {
          this.#calls.inc({ method, result: 'ok' });
          reply(null, response);
        },
        (error: unknown) => {
          const { code, details } = this.#explain(method, peer, error);
          this.#calls.inc({ method, result: status[code] });
          reply({ code, details: withoutSecrets(details) });
        },
      );
    };
  }

  #explain(method: string, peer: string, error: unknown): { code: status; details: string } {
    if (error instanceof EnrollmentError) {
      this.#log.warn(`${method} from ${peer} refused: ${error.code}`);
      return { code: enrollmentStatus(error.code), details: error.message };
    }
    if (error instanceof ProofRefusedError) return { code: status.PERMISSION_DENIED, details: error.message };
    if (error instanceof DatabaseUnavailableError || error instanceof RenewalLateError)
      return { code: status.UNAVAILABLE, details: error.message };
    const id = randomUUID();
    this.#log.error(`${method} from ${peer} failed (${id})`, error as Error);
    return { code: status.INTERNAL, details: `The server failed; its log has ${id}.` };
  }
}

function enrollmentStatus(code: EnrollmentError['code']): status {
  switch (code) {
    case 'join_token_invalid':
      return status.UNAUTHENTICATED;
    case 'join_token_expired':
    case 'join_token_revoked':
    case 'join_token_used_up':
      return status.PERMISSION_DENIED;
    case 'host_retired':
    case 'join_token_seal_broken':
      return ERROR_TABLE[code].grpc;
    case 'csr_invalid':
    case 'facts_invalid':
      return status.INVALID_ARGUMENT;
    default:
      return assertNever(code);
  }
}
