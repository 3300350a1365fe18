import { IdentityStatus, assertNever } from '@modfleet/proto';
import type { Inquiry } from './certificate-keeper.ts';

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

/** A clock that is off by no more hinders nothing: certificates begin this long before they are issued. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** What to say of a clock that is ahead of the server's time by so many ms (behind, when negative). */
export function clockWords(aheadMs: number): string {
  const off = `${Math.round(Math.abs(aheadMs) / 60_000)} minutes ${aheadMs > 0 ? 'ahead of' : 'behind'}`;
  return `this machine's clock is ${off} the server's: certificates are held against the server's time, all the same one of the two should be set`;
}

/** Advice for each status. */
export function adviceFor({ status, serverTimeMs, renewed }: Inquiry): DiagnosisAdvice {
  if (renewed && status === IdentityStatus.IDENTITY_STATUS_VALID)
    return { level: 'info', words: "this host's certificate did not count any more, and was renewed", retrySoon: true };
  const serverTime = `server time ${new Date(serverTimeMs).toISOString()}`;
  switch (status) {
    case IdentityStatus.IDENTITY_STATUS_VALID:
      return {
        level: 'warn',
        words: `the server knows this host and its certificate is good (${serverTime}): the network, or the clock of one of the two, was the trouble`,
        retrySoon: true,
      };
    case IdentityStatus.IDENTITY_STATUS_EXPIRED:
      return {
        level: 'error',
        words: `this host's certificate has expired more than 30 days ago (${serverTime}), so it is not renewed any more: ${REJOIN}`,
        retrySoon: false,
      };
    case IdentityStatus.IDENTITY_STATUS_NOT_YET_VALID:
      return {
        level: 'error',
        words: `this host's certificate is not valid yet (${serverTime}), and the server gives no other: look at the server's clock`,
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
    case IdentityStatus.IDENTITY_STATUS_CA_REPLACED:
      return {
        level: 'warn',
        words:
          "the server's certificate authority was replaced while this host was away: the server is asked for a certificate by the new one",
        retrySoon: true,
      };
    case IdentityStatus.IDENTITY_STATUS_UNSPECIFIED:
      return { level: 'warn', words: 'the server gave no diagnosis', retrySoon: true };
    default:
      return assertNever(status);
  }
}
