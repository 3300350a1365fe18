import type { ActionRequest } from '../gen/modfleet/types/v1/action.ts';
import { requestDigest } from './request-digest.ts';

/** Keeps a signature over a command apart from every other use of the key. */
const DOMAIN = Buffer.from('modfleet-command-v1\0', 'latin1');

/** Bytes of an Ed25519 signature (RFC 8032). */
export const SIGNATURE_BYTES = 64;

/**
 * Extended key usage of the certificate of a command key, and of nothing else. ITU-T X.667: an arc below 2.25 that is a UUID as a number needs no
 * registration; this one is 5d0a4b7e-3f0c-4c58-9a6b-6b6d6f646c66.
 */
export const COMMAND_KEY_USAGE = '2.25.123671657759563698391801091281096305766';

/** A command certificate's common name: what it is, and the one epoch in which its key speaks. */
export function commandCertificateName(epoch: number): string {
  return `modfleet-command epoch ${epoch}`;
}

/** What the server signs and the host's helper verifies: a domain, then the digest of the request. 52 bytes. */
export function commandBytes(request: ActionRequest): Buffer {
  return Buffer.concat([DOMAIN, requestDigest(request)]);
}

/** Where one command stands among those of its host: epoch first, then sequence. Negative: `one` is older. */
export function compareCommands(
  one: Pick<ActionRequest, 'epoch' | 'sequence'>,
  other: Pick<ActionRequest, 'epoch' | 'sequence'>,
): number {
  return one.epoch - other.epoch || one.sequence - other.sequence;
}

/**
 * What a request has that nobody has signed, a question asked on the host itself: no envelope, no plans that were approved and nothing to undo. No
 * helper takes it.
 */
export const UNSIGNED: Pick<
  ActionRequest,
  'epoch' | 'sequence' | 'notBeforeMs' | 'signature' | 'commandCertificate' | 'undo' | 'approvedPlans'
> = {
  epoch: 0,
  sequence: 0,
  notBeforeMs: 0,
  signature: Buffer.alloc(0),
  commandCertificate: Buffer.alloc(0),
  undo: [],
  approvedPlans: [],
};
