import { AppError } from '../errors/app-error.ts';

/**
 * The time that is asked about.
 *
 * @throws AppError query_invalid for one that has not come yet; history_not_kept for one whose events may be gone.
 */
export function pastTime(text: string, kept: { readonly now: Date; readonly since: Date }): Date {
  const at = new Date(text);
  if (at > kept.now)
    throw new AppError(
      'query_invalid',
      `at: ${at.toISOString()} has not come yet; by the database's clock it is ${kept.now.toISOString()}`,
    );
  if (at < kept.since)
    throw new AppError(
      'history_not_kept',
      `what hosts had loaded at ${at.toISOString()} is not kept: the earliest time is ${kept.since.toISOString()} (MODFLEET_EVENT_RETENTION_DAYS)`,
    );
  return at;
}
