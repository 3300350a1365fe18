import { IdentityStatus, assertNever } from '@modfleet/proto';
import type { Diagnosis } from './diagnose.ts';

/** What a diagnosis means for a person, and whether trying again soon can help. */
export interface DiagnosisAdvice {
  /** Log level: error when a person is needed. */
  readonly level: 'info' | 'warn' | 'error';
  readonly words: string;
  /** False: nothing changes without a person, so the agent tries again only every few minutes. */
  readonly retrySoon: boolean;
}

/** The way back, where there is one. */
const REJOIN = 'run "modfleet-agent join --replace" with a new join string, and start the agent again';

/** Advice for each status. `nowMs` is this machine's wall clock. */
export function adviceFor({ status, serverTimeMs }: Diagnosis, nowMs: number): DiagnosisAdvice {
  const clocks = `server time ${new Date(serverTimeMs).toISOString()}, this machine's clock ${new Date(nowMs).toISOString()}`;
  switch (status) {
    case IdentityStatus.IDENTITY_STATUS_VALID:
      return {
        level: 'warn',
        words: `the server knows this host and its certificate is good, so the network or the clock is the trouble (${clocks})`,
        retrySoon: true,
      };
    case IdentityStatus.IDENTITY_STATUS_EXPIRED:
      return {
        level: 'error',
        words: `this host's certificate has expired (${clocks}): ${REJOIN}`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID:
      return {
        level: 'error',
        words: `this host's certificate is not valid yet (${clocks}): correct the clocks`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_REVOKED:
      return {
        level: 'error',
        words: `this host's certificate was revoked: ask whoever did it; to return, ${REJOIN}`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_UNKNOWN:
      return {
        level: 'error',
        words: `the server does not know this host with this key (restored from an older backup, or another server): ${REJOIN}`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_QUARANTINED:
      return {
        level: 'warn',
        words: 'this host is quarantined (two machines with one identity?): it may report, and will not act',
        retrySoon: true,
      };
    case IdentityStatus.IDENTITY_STATUS_DELETED:
      return {
        level: 'error',
        words: `this host was retired on the server, and ids are never reused: to return as a new host, ${REJOIN}`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_SUPERSEDED:
      return {
        level: 'error',
        words:
          'another machine has gone on with the identity of this one, or this one was put back to an older state: the server is asked to decide',
        retrySoon: true,
      };
    case IdentityStatus.IDENTITY_STATUS_UNSPECIFIED:
      return { level: 'warn', words: 'the server gave no diagnosis', retrySoon: true };
    default:
      return assertNever(status);
  }
}
