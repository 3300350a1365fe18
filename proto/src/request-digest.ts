import { createHash } from 'node:crypto';
import { ActionRequest } from '../gen/modfleet/types/v1/action.ts';
import { compareText, sortedBy } from './sorting.ts';

/** Keeps this digest apart from every other use of SHA-256 here. */
const DOMAIN = 'modfleet-action-v1\0';

const NONE = Buffer.alloc(0);

/**
 * Digest of what is asked of a host: SHA-256 over the request's canonical bytes, with parameters, overrides and approved plans sorted, without what says
 * how often it was sent and who signed it. Undo steps keep their order: they are done in it. Two requests with the same id and another digest are a conflict.
 */
export function requestDigest(request: ActionRequest): Uint8Array {
  const canonical = ActionRequest.encode({
    ...request,
    parameters: [...request.parameters].sort(compareText),
    overrides: [...request.overrides].sort(compareText),
    approvedPlans: sortedBy(request.approvedPlans, (digest) => Buffer.from(digest).toString('hex')),
    sentBefore: undefined,
    signature: NONE,
    commandCertificate: NONE,
  }).finish();
  return createHash('sha256').update(DOMAIN).update(canonical).digest();
}

/**
 * The same digest as a host computes it whose agent is older than signatures: it does not know epoch, sequence, not-before,
 * undo and approved plans, and leaves them out.
 * Good for recognising what such a host reports, and for nothing else.
 */
export function requestDigestBeforeSignatures(request: ActionRequest): Uint8Array {
  return requestDigest({ ...request, epoch: 0, sequence: 0, notBeforeMs: 0, undo: [], approvedPlans: [] });
}
