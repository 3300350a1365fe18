/**
 * Whether the server saw a host at some time in the past. A host that was not connected may have changed without anybody noticing: what came and went
 * meanwhile is only found when it is back.
 */

/** What is on record of a host's connections around a time. */
export interface SeenAround {
  /** It was connected then. */
  readonly within: boolean;
  /** End of the latest connection that ended before; null: none is on record. */
  readonly lastBefore: Date | null;
  /** Begin of the first one after; null: none so far. */
  readonly firstAfter: Date | null;
}

export type PastStanding =
  /** Connected: what is said of that time was so. */
  | { readonly kind: 'seen' }
  /** Not connected: what is said was so at `seenAt`, and was looked at again at `seenNext`. */
  | { readonly kind: 'away'; readonly seenAt: Date; readonly seenNext: Date | null }
  /** Nothing can be said. */
  | { readonly kind: 'unknown'; readonly why: 'before_joining' | 'before_first_report' | 'never_reported' };

/** @param reported whether the host has ever said what it has loaded. */
export function pastStanding(at: Date, enrolledAt: Date, reported: boolean, seen: SeenAround): PastStanding {
  if (at < enrolledAt) return { kind: 'unknown', why: 'before_joining' };
  if (!reported) return { kind: 'unknown', why: 'never_reported' };
  if (seen.within) return { kind: 'seen' };
  if (seen.lastBefore === null) return { kind: 'unknown', why: 'before_first_report' };
  return { kind: 'away', seenAt: seen.lastBefore, seenNext: seen.firstAfter };
}
