import { type ActionRequest, compareCommands, requestDigest } from '@modfleet/proto';
import type { HelperKind } from '../wire/protocol.ts';

/** Why a command that its server signed is not begun any more. */
export interface OrderComplaint {
  readonly code: 'epoch_stale' | 'sequence_used';
  readonly message: string;
}

/**
 * Whether a command that this host does not know may begin after the newest that it has taken. Pure.
 *
 * Nothing of an older epoch begins. Within an epoch the numbers only go up, so a frame that was recorded and held back begins nothing once a later
 * command was taken, even where the journal that would know it is lost. A dry run begins nothing, and takes no number here.
 */
export function complaintAboutOrder(
  request: ActionRequest,
  newest: ActionRequest | undefined,
  kind: HelperKind,
): OrderComplaint | undefined {
  if (newest === undefined || newest.hostId !== request.hostId) return undefined;
  if (request.epoch < newest.epoch) {
    const message = `this command is of epoch ${request.epoch}, and this host has taken one of epoch ${newest.epoch}: commands of older epochs are not begun`;
    return { code: 'epoch_stale', message };
  }
  if (kind === 'evidence') return undefined;
  const order = compareCommands(request, newest);
  if (order > 0 || (order === 0 && Buffer.compare(requestDigest(request), requestDigest(newest)) === 0))
    return undefined;
  const message = `this command is number ${request.sequence} of this host, and it has taken number ${newest.sequence} (action ${newest.actionId}): numbers are not used twice`;
  return { code: 'sequence_used', message };
}
