import { createHmac, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { bodyDigest } from '../idempotency/body-digest.ts';

/** Where a page ended: values of the list's sort key, and when the walk began. */
export interface CursorPosition {
  readonly key: readonly (string | number)[];
  /** Time of the first page, ms since the epoch by Postgres's clock. */
  readonly asOfMs: number;
}

/** A walk through a list that began longer ago is over: the fleet is another by then. */
const CURSOR_LIFETIME_MS = 24 * 60 * 60 * 1000;
const MAC_BYTES = 16;
const FILTER_BYTES = 9;

/**
 * A cursor: the position, bound to its list and filters, under a MAC. Nobody outside can make or change one.
 *
 * @param scope list and filters, for example {list: 'hosts', selector}; a cursor of one scope is none of another.
 */
export function sealCursor(secret: Buffer, scope: object, position: CursorPosition): string {
  const payload = Buffer.from(JSON.stringify([position.asOfMs, scopeMark(scope), ...position.key]));
  return Buffer.concat([mac(secret, payload), payload]).toString('base64url');
}

/**
 * @throws AppError cursor_invalid for one that was forged, belongs to another list, or is too old.
 */
export function openCursor(secret: Buffer, scope: object, text: string, nowMs: number): CursorPosition {
  const bytes = Buffer.from(text, 'base64url');
  const payload = bytes.subarray(MAC_BYTES);
  if (
    bytes.length <= MAC_BYTES ||
    bytes.toString('base64url') !== text ||
    !timingSafeEqual(bytes.subarray(0, MAC_BYTES), mac(secret, payload))
  ) {
    throw new AppError(
      'cursor_invalid',
      'this is no cursor of this server: use nextCursor of the page before as it is',
    );
  }
  const [asOfMs, mark, ...key] = JSON.parse(payload.toString()) as [number, string, ...(string | number)[]];
  if (mark !== scopeMark(scope)) {
    throw new AppError(
      'cursor_invalid',
      'this cursor belongs to another list or other filters: keep the filters while you page',
    );
  }
  if (nowMs - asOfMs > CURSOR_LIFETIME_MS)
    throw new AppError('cursor_invalid', 'this cursor is older than a day: begin again at the first page');
  return { key, asOfMs };
}

function mac(secret: Buffer, payload: Buffer): Buffer {
  return createHmac('sha256', secret).update('modfleet-cursor-v1\0').update(payload).digest().subarray(0, MAC_BYTES);
}

function scopeMark(scope: object): string {
  return bodyDigest(scope).subarray(0, FILTER_BYTES).toString('base64url');
}
