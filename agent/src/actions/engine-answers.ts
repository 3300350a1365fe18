import { type ActionRequest, type ActionResult, Outcome } from '@modfleet/proto';
import type { Known } from './ledger.ts';
import { plainResult } from './plain-result.ts';

/** Of an action whose first step did not come. */
export const NOT_BEGUN = { startedAtMs: 0, startedBootMs: 0, taintBefore: undefined } as const;

/** The end of an action that was taken back in time. */
export const CANCELLED = {
  outcome: Outcome.OUTCOME_CANCELLED,
  code: 'cancelled',
  message: 'taken back before its first step; nothing was touched',
} as const;

/** Why a host whose tombstones are full takes nothing. */
export const FULL =
  'this host remembers as many actions as it may (4096) and takes no further one before the oldest are a day past their expiry; nothing was touched';

/** In lower case. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The answer to an id that was used for another request. */
export function conflict(request: ActionRequest, digest: string): ActionResult {
  const message = 'this action id was used for another request on this host; nothing was touched';
  return plainResult(request, digest, Outcome.OUTCOME_REFUSED, 'id_conflict', message);
}

/** The server lets an action live for a day at most. */
export const LONGEST_LIFE_MS = 24 * 60 * 60 * 1000;

/** What is said of an action whose record was cut short. */
export const TORN =
  'what the journal had on this action was cut short or damaged: by order of writing nothing was begun, but a disk that loses synced data could hide it';

/** @throws Error when nothing was answered yet */
export function ledgerAnswer(known: Known): ActionResult {
  if (known.kind !== 'answered') throw new Error('a tombstone that was just written is not there');
  return known.result;
}
