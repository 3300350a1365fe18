import type { HostPast, KmodPastHost } from '@modfleet/server/api-types';
import { exactClock } from '../output/time.ts';

type Seen = Pick<HostPast | KmodPastHost, 'seen' | 'seenAt' | 'seenNext' | 'unknown'>;

const UNKNOWN_WORDS: Readonly<Record<NonNullable<Seen['unknown']>, string>> = {
  before_joining: 'it had not joined yet',
  before_first_report: 'no connection of it is on record from before that time',
  never_reported: 'it has never said what it has loaded',
};

/** Whether a host was seen at the time, and what that means for what is said of it. */
export function seenWords(row: Seen, now: Date, timeZone: string | undefined): string {
  if (row.unknown !== null) return `unknown: ${UNKNOWN_WORDS[row.unknown]}`;
  if (row.seen || row.seenAt === null) return 'connected then';
  const next = row.seenNext === null ? 'not seen since' : `next seen ${exactClock(row.seenNext, now, timeZone)}`;
  return `not connected then: last seen ${exactClock(row.seenAt, now, timeZone)}, ${next}`;
}
