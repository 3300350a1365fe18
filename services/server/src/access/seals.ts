import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { AccountKind } from './caller.ts';
import type { Role } from './roles.ts';

/*
 * A row that gives a right carries a seal: an HMAC-SHA256, under a key that is not in the database, over every column that the right follows from. Whoever
 * can write the database alone can take rights away, and put back a row with a seal that it once had, but makes none (docs/security.md).
 */

/** What of an account gives or takes a right. */
export interface AccountFacts {
  readonly id: string;
  readonly name: string;
  readonly kind: AccountKind;
  readonly disabledAt: Date | null;
}

export interface GrantFacts {
  readonly id: string;
  readonly accountId: string;
  readonly role: Role;
  /** As it is stored; null: the whole fleet. */
  readonly selector: string | null;
  readonly revokedAt: Date | null;
  /** Null: until it is revoked. */
  readonly endsAt: Date | null;
}

export interface TokenFacts {
  readonly id: string;
  readonly accountId: string;
  readonly hash: Buffer;
  readonly routes: readonly string[] | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
  /** Made for STATE_DIR/admin-token. */
  readonly bootstrap: boolean;
}

/** Who asked for an action. */
export interface RequesterFacts {
  readonly actionId: string;
  readonly accountId: string;
  readonly tokenId: string | null;
  readonly signInId: string | null;
  /** What the account was called. */
  readonly name: string;
}

/** What a rollout does, to which hosts, and who asked for it; or what somebody asked of it. */
export interface RolloutFacts {
  readonly rolloutId: string;
  /** create, approve, pause …: a seal of one is none of another. */
  readonly what: string;
  /** Of all that the rollout does (rollouts/rollout-hash.ts). */
  readonly hash: Buffer;
  readonly accountId: string;
  readonly tokenId: string | null;
  readonly signInId: string | null;
  readonly name: string;
}

/** What of a join token lets machines in, and how many. */
export interface JoinTokenFacts {
  readonly id: string;
  readonly hash: Buffer;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxUses: number;
  readonly uses: number;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
}

/** Which key took which use of a join token, and for which host. */
export interface JoinUseFacts {
  readonly tokenId: string;
  readonly keyFingerprint: Buffer;
  readonly hostId: string;
  readonly number: number;
}

/** Times are sealed in milliseconds: what the server writes has no more. */
export class AccessSeals {
  readonly #key: KeyObject;

  /** @param key of ServerKeys.sealKey('access'). */
  constructor(key: KeyObject) {
    this.#key = key;
  }

  account(facts: AccountFacts): Buffer {
    return this.#seal('account', [facts.id, facts.name, facts.kind, time(facts.disabledAt)]);
  }

  grant(facts: GrantFacts): Buffer {
    const { id, accountId, role, selector, revokedAt, endsAt } = facts;
    // Only where there is one: grants of before migration 0013 keep their seals.
    const end = endsAt === null ? [] : [time(endsAt)];
    return this.#seal('grant', [id, accountId, role, selector, time(revokedAt), ...end]);
  }

  token(facts: TokenFacts): Buffer {
    const { id, accountId, hash, routes, expiresAt, revokedAt } = facts;
    // Only where it is one: tokens of before migration 0014 keep their seals.
    const mark = facts.bootstrap ? ['bootstrap'] : [];
    return this.#seal('token', [
      id,
      accountId,
      hash.toString('hex'),
      routes,
      time(expiresAt),
      time(revokedAt),
      ...mark,
    ]);
  }

  requester({ actionId, accountId, tokenId, signInId, name }: RequesterFacts): Buffer {
    return this.#seal('requester-named', [actionId, accountId, tokenId, signInId, name]);
  }

  rollout({ rolloutId, what, hash, accountId, tokenId, signInId, name }: RolloutFacts): Buffer {
    return this.#seal('rollout', [rolloutId, what, hash.toString('hex'), accountId, tokenId, signInId, name]);
  }

  /** `unnamed`: as servers of before migration 0015 sealed it, without sign-in and name. Undefined: it is not sealed. */
  requesterSealedAs(seal: Buffer | null, facts: RequesterFacts): 'named' | 'unnamed' | undefined {
    if (isSealed(seal, this.requester(facts))) return 'named';
    const { actionId, accountId, tokenId, signInId } = facts;
    const before = this.#seal('requester', [actionId, accountId, tokenId]);
    return signInId === null && isSealed(seal, before) ? 'unnamed' : undefined;
  }

  joinToken(facts: JoinTokenFacts): Buffer {
    const { id, hash, maxUses, uses, createdAt, expiresAt, revokedAt } = facts;
    // A jsonb column gives its keys in an order of its own.
    const labels = Object.entries(facts.labels).sort(([one], [other]) => (one < other ? -1 : 1));
    return this.#seal('join-token', [
      id,
      hash.toString('hex'),
      JSON.stringify(labels),
      maxUses,
      uses,
      time(createdAt),
      time(expiresAt),
      time(revokedAt),
    ]);
  }

  joinUse(facts: JoinUseFacts): Buffer {
    const { tokenId, keyFingerprint, hostId, number } = facts;
    return this.#seal('join-token-use', [tokenId, keyFingerprint.toString('hex'), hostId, number]);
  }

  /** JSON keeps the fields apart: no two lists of values give the same text. */
  #seal(kind: string, fields: readonly (string | number | null | readonly string[])[]): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify(['modfleet-access-v1', kind, ...fields]))
      .digest();
  }
}

/** False for a row without a seal, too. */
export function isSealed(seal: Buffer | null, expected: Buffer): boolean {
  return seal !== null && seal.length === expected.length && timingSafeEqual(seal, expected);
}

function time(instant: Date | null): number | null {
  return instant === null ? null : instant.getTime();
}
