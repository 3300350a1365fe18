import { assertNever } from '@modfleet/proto';
import type { ReadOutcome } from './host-files.ts';

/** The value, or undefined for every other outcome: only for files whose absence and unreadability mean the same. */
export function valueOf<T>(outcome: ReadOutcome<T>): T | undefined {
  return outcome.kind === 'ok' ? outcome.value : undefined;
}

/** The same outcome with its value converted. */
export function mapOutcome<T, U>(outcome: ReadOutcome<T>, convert: (value: T) => U): ReadOutcome<U> {
  return outcome.kind === 'ok' ? { kind: 'ok', value: convert(outcome.value) } : outcome;
}

/** Why there is no value, as the end of a sentence about `path`. */
export function whyUnreadable(path: string, outcome: Exclude<ReadOutcome<unknown>, { kind: 'ok' }>): string {
  switch (outcome.kind) {
    case 'not_found':
      return `${path} does not exist`;
    case 'denied':
      return `${path} may not be read by this user (${outcome.errno})`;
    case 'error':
      return outcome.errno === 'EFBIG'
        ? `${path} is too long to be what it should be`
        : `${path} cannot be read (${outcome.errno})`;
    default:
      return assertNever(outcome);
  }
}
