import type { ErrorCode } from '../errors/error-table.ts';

/**
 * What can be decided. Part of the contract: never renamed. The word before the dot is what it is about; add a row here for a new kind of decision.
 */
export const AUDIT_WHATS = [
  'action.request',
  'action.cancel',
  'fleet.freeze',
  'fleet.thaw',
  'host.join',
  'host.label',
  'host.retire',
  'host.revoke',
  'host.quarantine',
  'host.release',
  'join_token.create',
  'join_token.revoke',
  'action.withdraw',
  'rollout.plan',
  'rollout.create',
  'rollout.approve',
  'rollout.pause',
  'rollout.resume',
  'rollout.promote',
  'rollout.abort',
  'rollout.roll_back',
  'rollout.dispatch',
  'rollout.stop',
  'commands.stop',
  'epoch.raise',
  'account.create',
  'account.disable',
  'account.enable',
  'account.rename',
  'grant.add',
  'grant.remove',
  'api_token.create',
  'api_token.revoke',
  'sign_in.start',
  'sign_in.end',
  'password.give',
  'password.change',
  'password.remove',
  'identity.link',
  'identity.unlink',
  'inventory.export',
  'inventory.ask',
  'audit.export',
  'ca.rotate',
  'request.refuse',
] as const;
export type AuditWhat = (typeof AUDIT_WHATS)[number];

/** Who decided. `local`: a person on the server's own machine; `server`: the server by itself. */
export interface AuditActor {
  readonly kind: 'token' | 'account' | 'host' | 'local' | 'server';
  /** Id of the token, account or host; null where there is none. */
  readonly id: string | null;
  readonly name: string;
}

/** Who asked, and from where. */
export interface AuditSource {
  readonly actor: AuditActor;
  readonly via: 'http' | 'grpc' | 'cli' | 'server';
  /** Address of the peer, as the server believes it. */
  readonly address: string | null;
  readonly requestId: string | null;
  /** The Idempotency-Key of the request. */
  readonly idempotencyKey: string | null;
}

/** One decision. Nothing secret belongs in any field: they are stored, listed and exported as they are. */
export interface AuditDecision {
  readonly what: AuditWhat;
  /** Id or name of what it is about: an action's id, a join token's id. */
  readonly object?: string | null | undefined;
  readonly kmod?: string | null | undefined;
  /** As given. */
  readonly selector?: string | null | undefined;
  /** Ids of all hosts that it is about. */
  readonly hosts?: readonly string[] | undefined;
  readonly reason?: string | null | undefined;
  /** Small facts that the other fields do not hold; kept as canonical JSON. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  /** `allowed` where it is left out; else the code of the refusal. */
  readonly outcome?: 'allowed' | ErrorCode | undefined;
}

/** A row of `audit.entry` without its mac. */
export interface AuditRow {
  readonly replicaId: string;
  readonly lane: number;
  /** From 1, without gaps in its lane. */
  readonly number: number;
  /** ms since the epoch, by Postgres's clock. */
  readonly atMs: number;
  readonly actorKind: string;
  readonly actorId: string | null;
  readonly actorName: string;
  readonly via: string;
  readonly address: string | null;
  readonly requestId: string | null;
  readonly what: string;
  readonly object: string | null;
  readonly kmod: string | null;
  readonly selector: string | null;
  readonly targetCount: number;
  /** Merkle root over the sorted host ids. */
  readonly targetRoot: Buffer;
  /** Sorted. */
  readonly hostIds: readonly string[];
  readonly reason: string | null;
  /** Canonical JSON. */
  readonly details: string | null;
  readonly outcome: string;
  /** SHA-256 of the Idempotency-Key. */
  readonly keyDigest: Buffer | null;
}

export interface SealedRow extends AuditRow {
  readonly mac: Buffer;
}

/** How a row is named everywhere: `replica.lane.number`. */
export function rowName(row: Pick<AuditRow, 'replicaId' | 'lane' | 'number'>): string {
  return `${row.replicaId}.${row.lane}.${row.number}`;
}
