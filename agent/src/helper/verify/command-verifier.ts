import type { X509Certificate } from 'node:crypto';
import { type ActionRequest, complaintAboutSignature } from '@modfleet/proto';
import type { ServerClock } from '../../time/clock.ts';
import type { Verified, Verifier } from './verifier.ts';

/** Whom this machine's helper believes. */
export interface Trust {
  /** The host that this machine is. */
  readonly hostId: string;
  /** CA certificates; a command's certificate must be made by one of them. */
  readonly authorities: readonly X509Certificate[];
}

/**
 * Replicas tell the time each by themselves, and Postgres tells when a command was accepted: a host may get it a moment "before". As far as clocks may
 * part anywhere here.
 */
const TOLERANCE_MS = 5 * 60_000;

/** Believes what a key of this machine's server has signed for this machine. */
export class CommandVerifier implements Verifier {
  readonly #trust: () => Trust;
  readonly #serverClock: ServerClock;

  constructor(trust: () => Trust, serverClock: ServerClock) {
    this.#trust = trust;
    this.#serverClock = serverClock;
  }

  async verify(request: ActionRequest): Promise<Verified> {
    const { hostId, authorities } = this.#trust();
    const complaint = complaintAboutSignature(request, authorities);
    if (complaint !== undefined) return { kind: 'rejected', ...complaint };
    if (request.hostId !== hostId) {
      const message = `this command is for host ${request.hostId}, and this is ${hostId}`;
      return { kind: 'rejected', code: 'wrong_host', message };
    }
    const now = this.#serverClock.now();
    if (now !== undefined && now.ms + now.errorMs + TOLERANCE_MS < request.notBeforeMs) {
      const message = `this command was accepted at ${at(request.notBeforeMs)}, and the server's time is ${at(now.ms)}`;
      return { kind: 'rejected', code: 'not_yet', message };
    }
    return { kind: 'ok' };
  }
}

function at(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
