import { Inject, Injectable, Logger } from '@nestjs/common';
import { HostDatabase } from '../database/host-database.service.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { AuditService } from '../audit/audit.service.ts';
import { counterOf } from '../ca/certificate-serial.ts';
import { lockHostIdentity } from '../enrollment/host.queries.ts';
import { currentSession, openSession, type SessionRow } from '../presence/session.queries.ts';
import { quarantine } from '../quarantine/quarantine.ts';
import { recordSighting, type Sighting } from '../quarantine/quarantine.queries.ts';
import { sessionRefusal } from './session-refusal.ts';
import { decideAdmission, type ProbeResult } from './session-rules.ts';
import { SessionRegistry } from './session-registry.service.ts';

/** A host that wants a session. */
export interface Candidate {
  readonly hostId: string;
  readonly bootId: string;
  readonly address: string;
  /** Serial number of the certificate that it shows, hex. */
  readonly serial: string;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly sessionNo: number; readonly quarantined: boolean }
  /** No such host, retired or revoked, or it shows an older certificate than was used last. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** A clone: the older machine keeps the session. */
  | { readonly kind: 'clone'; readonly reason: string };

/** Rounds of asking an older session; a third machine may come in between. */
const ROUNDS_MAX = 4;

type Step = Admission | { readonly kind: 'probe'; readonly older: SessionRow };

/** Decides which connection is a host's session; numbers and locks come from Postgres, so it holds across replicas. */
@Injectable()
export class SessionAdmission {
  readonly #log = new Logger('Sessions');
  readonly #database: HostDatabase;
  readonly #registry: SessionRegistry;
  readonly #replicaId: string;
  readonly #audit: AuditService;

  constructor(
    @Inject(HostDatabase) database: HostDatabase,
    @Inject(SessionRegistry) registry: SessionRegistry,
    @Inject(REPLICA_ID) replicaId: string,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#registry = registry;
    this.#replicaId = replicaId;
    this.#audit = audit;
  }

  /** @throws DatabaseUnavailableError */
  async admit(candidate: Candidate): Promise<Admission> {
    let probed: ProbeResult | undefined;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const { step, older } = await this.#tryOnce(candidate, probed);
      if (step.kind !== 'probe') {
        if (step.kind === 'admitted' && older !== undefined) this.#tellOlder(candidate.hostId, older);
        return step;
      }
      const { sessionNo, replicaId } = step.older;
      probed = { sessionNo, answered: await this.#registry.probe(candidate.hostId, sessionNo, replicaId) };
    }
    return { kind: 'clone', reason: 'several machines use the identity of this host' };
  }

  #tryOnce(
    candidate: Candidate,
    probed: ProbeResult | undefined,
  ): Promise<{ step: Step; older: SessionRow | undefined }> {
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const host = await lockHostIdentity(sql, candidate.hostId);
      const refusal = sessionRefusal(host, candidate.serial);
      if (host === undefined || refusal !== undefined)
        return { step: { kind: 'refused', reason: refusal ?? '' }, older: undefined };
      const older = await currentSession(sql, candidate.hostId);
      const step = decideAdmission(older, candidate.bootId, probed);
      if (step.kind === 'probe') return { step, older };
      const sighting: Sighting = {
        bootId: candidate.bootId,
        peer: candidate.address,
        counter: counterOf(candidate.serial),
        how: 'session',
      };
      if (step.kind === 'clone') {
        const reason = `two machines use this identity: ${step.older.address} (boot ${step.older.bootId}) and ${candidate.address} (boot ${candidate.bootId})`;
        const known = { id: host.id, counter: counterOf(host.certificateUsed) };
        if (await quarantine(sql, this.#audit, known, reason, sighting))
          this.#log.error(`host ${candidate.hostId} is quarantined: ${reason}`);
        return { step: { kind: 'clone', reason }, older };
      }
      if (host.quarantined) await recordSighting(sql, host.id, sighting);
      const certificateUsed = host.quarantined ? undefined : candidate.serial;
      const sessionNo = await openSession(sql, { ...candidate, certificateUsed, replicaId: this.#replicaId });
      return { step: { kind: 'admitted', sessionNo, quarantined: host.quarantined }, older };
    });
  }

  /** Best effort: an older session that never hears of it ends by itself, and cannot write any more. */
  #tellOlder(hostId: string, older: SessionRow): void {
    if (!older.live) return;
    this.#registry
      .supersede(hostId, older.sessionNo, older.replicaId)
      .catch((error: Error) => this.#log.warn(`an older session was not told: ${error.message}`));
  }
}
