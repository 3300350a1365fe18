import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Sql } from '../database/database.service.ts';
import { Grouped } from '../database/grouped.ts';
import { HostDatabase } from '../database/host-database.service.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { AuditService } from '../audit/audit.service.ts';
import { counterOf } from '../ca/certificate-serial.ts';
import { type HostIdentityRow, lockHostIdentities } from '../enrollment/host.queries.ts';
import { currentSessions, type NewSession, openSessions, type SessionRow } from '../presence/session.queries.ts';
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

interface Attempt {
  readonly candidate: Candidate;
  readonly probed: ProbeResult | undefined;
}

interface Attempted {
  readonly step: Step;
  readonly older: SessionRow | undefined;
}

/** Hosts that are admitted in one transaction. */
const ADMITTED_TOGETHER = 100;

/** Decides which connection is a host's session; numbers and locks come from Postgres, so it holds across replicas. */
@Injectable()
export class SessionAdmission {
  readonly #log = new Logger('Sessions');
  readonly #database: HostDatabase;
  readonly #registry: SessionRegistry;
  readonly #replicaId: string;
  readonly #audit: AuditService;
  readonly #attempts = new Grouped<Attempt, Attempted>({
    max: ADMITTED_TOGETHER,
    keyOf: ({ candidate }) => candidate.hostId,
    run: (attempts) => this.#tryAll(attempts),
  });

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
      const { step, older } = await this.#attempts.call({ candidate, probed });
      if (step.kind !== 'probe') {
        if (step.kind === 'admitted' && older !== undefined) this.#tellOlder(candidate.hostId, older);
        return step;
      }
      const { sessionNo, replicaId } = step.older;
      probed = { sessionNo, answered: await this.#registry.probe(candidate.hostId, sessionNo, replicaId) };
    }
    return { kind: 'clone', reason: 'several machines use the identity of this host' };
  }

  /** No two attempts are of one host. */
  #tryAll(attempts: readonly Attempt[]): Promise<Attempted[]> {
    return this.#database.tx('READ COMMITTED', async (sql) => {
      const ids = attempts.map(({ candidate }) => candidate.hostId);
      const hosts = new Map((await lockHostIdentities(sql, ids)).map((host) => [host.id, host]));
      const sessions = await currentSessions(sql, ids);
      const decided: (
        Attempted | { readonly open: NewSession; readonly quarantined: boolean; readonly older: SessionRow | undefined }
      )[] = [];
      for (const { candidate, probed } of attempts) {
        const host = hosts.get(candidate.hostId);
        const refusal = sessionRefusal(host, candidate.serial);
        if (host === undefined || refusal !== undefined) {
          decided.push({ step: { kind: 'refused', reason: refusal ?? '' }, older: undefined });
          continue;
        }
        const older = sessions.get(candidate.hostId);
        const step = decideAdmission(older, candidate.bootId, probed);
        if (step.kind === 'probe') {
          decided.push({ step, older });
          continue;
        }
        const sighting = sightingOf(candidate);
        if (step.kind === 'clone') {
          decided.push({ step: { kind: 'clone', reason: await this.#clone(sql, host, candidate, step.older) }, older });
          continue;
        }
        if (host.quarantined) await recordSighting(sql, host.id, sighting);
        const continues = older?.live === true && older.bootId === candidate.bootId;
        const certificateUsed = host.quarantined ? undefined : candidate.serial;
        decided.push({ open: { ...candidate, certificateUsed, continues }, quarantined: host.quarantined, older });
      }
      const numbers = await this.#open(
        sql,
        decided.flatMap((each) => ('open' in each ? [each.open] : [])),
      );
      return decided.map((each): Attempted => {
        if ('step' in each) return each;
        const sessionNo = numbers.get(each.open.hostId);
        if (sessionNo === undefined) throw new Error('a session that was opened has no number');
        return { step: { kind: 'admitted', sessionNo, quarantined: each.quarantined }, older: each.older };
      });
    });
  }

  async #open(sql: Sql, sessions: readonly NewSession[]): Promise<ReadonlyMap<string, number>> {
    return sessions.length === 0 ? new Map() : openSessions(sql, this.#replicaId, sessions);
  }

  /** @returns why, in words */
  async #clone(sql: Sql, host: HostIdentityRow, candidate: Candidate, older: SessionRow): Promise<string> {
    const reason = `two machines use this identity: ${older.address} (boot ${older.bootId}) and ${candidate.address} (boot ${candidate.bootId})`;
    const known = { id: host.id, counter: counterOf(host.certificateUsed) };
    if (await quarantine(sql, this.#audit, known, reason, sightingOf(candidate)))
      this.#log.error(`host ${candidate.hostId} is quarantined: ${reason}`);
    return reason;
  }

  /** Best effort: an older session that never hears of it ends by itself, and cannot write any more. */
  #tellOlder(hostId: string, older: SessionRow): void {
    if (!older.live) return;
    this.#registry
      .supersede(hostId, older.sessionNo, older.replicaId)
      .catch((error: Error) => this.#log.warn(`an older session was not told: ${error.message}`));
  }
}

function sightingOf(candidate: Candidate): Sighting {
  return {
    bootId: candidate.bootId,
    peer: candidate.address,
    counter: counterOf(candidate.serial),
    how: 'session',
  };
}
