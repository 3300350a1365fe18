import { randomUUID } from 'node:crypto';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import { sealableNow } from '../access/account.queries.ts';
import { sealOnce } from '../access/first-seal.ts';
import { type AccessSeals, isSealed } from '../access/seals.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import {
  findJoinTokenUses,
  insertJoinToken,
  type JoinTokenRow,
  type JoinTokenUseRow,
  listJoinTokens,
  lockJoinTokenById,
  lockJoinTokens,
  recordJoinTokenUses,
  sealJoinToken,
  sealJoinTokenUses,
  unsealedJoinTokens,
  unsealedJoinTokenUses,
  updateJoinTokenRevoked,
} from './join-token.queries.ts';
import { mintJoinToken } from './join-token.ts';

/** Beside seal.key, as access/first-seal.ts says. */
const MARK = 'join-tokens-sealed';

/** `broken`: changed or made outside the server; it lets no machine in. */
export type JoinToken = JoinTokenRow & { readonly broken: boolean };

export interface TokenAndKey {
  readonly tokenId: string;
  readonly keyFingerprint: Buffer;
}

/** What a use is found by. */
export function useKey({ tokenId, keyFingerprint }: TokenAndKey): string {
  return `${tokenId} ${keyFingerprint.toString('hex')}`;
}

export interface NewJoinTokenFacts {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly maxUses: number;
  readonly expiresInSeconds: number;
  readonly createdBy: string;
}

/**
 * The only writer of join tokens and of their uses.
 *
 * INVARIANTS
 * - A token is sealed with its count of uses, anew at each use; a use is sealed with its number. What is not sealed lets nobody in and is never sealed again,
 *   only ended.
 * - A token that counts fewer uses than are on record was put back to an earlier state: it is broken. Whoever also deletes the uses since then goes unseen
 *   here; the audit log has them (docs/security.md).
 */
@Injectable()
export class JoinTokenRepository implements OnModuleInit {
  readonly #logger = new Logger('access');
  readonly #database: DatabaseService;
  readonly #keys: ServerKeys;
  readonly #access: AccessService;
  readonly #seals: AccessSeals;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ServerKeys) keys: ServerKeys,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AccessService) access: AccessService,
  ) {
    this.#database = database;
    this.#keys = keys;
    this.#seals = repository.seals;
    this.#access = access;
  }

  async onModuleInit(): Promise<void> {
    const sealed = await sealOnce({ folder: this.#keys.folder, name: MARK }, this, this.#database);
    if (sealed > 0)
      this.#logger.warn({
        message: 'the join tokens that were in the database before seals are sealed as they are',
        rows: sealed,
      });
  }

  async create(sql: Sql, wanted: NewJoinTokenFacts): Promise<{ readonly row: JoinToken; readonly secret: string }> {
    const { token, prefix, hash } = mintJoinToken();
    const { name, labels, maxUses, expiresInSeconds, createdBy } = wanted;
    const createdAt = await sealableNow(sql);
    const facts = {
      id: randomUUID(),
      hash,
      labels: { ...labels },
      maxUses,
      createdAt,
      expiresAt: new Date(createdAt.getTime() + Math.round(expiresInSeconds * 1000)),
    };
    const seal = this.#seals.joinToken({ ...facts, uses: 0, revokedAt: null });
    const row = await insertJoinToken(sql, { ...facts, name, prefix, createdBy, seal });
    return { row: this.#judged(row), secret: token };
  }

  async list(limit: number, before: { readonly createdAt: Date; readonly id: string } | null): Promise<JoinToken[]> {
    const rows = await listJoinTokens(this.#database, limit, before);
    return rows.map((row) => this.#judged(row));
  }

  /** The tokens of these hashes, by hash (hex), under a lock; told of when one is broken. */
  async lock(sql: Sql, hashes: readonly Buffer[]): Promise<ReadonlyMap<string, JoinToken>> {
    const tokens = (await lockJoinTokens(sql, hashes)).map((row) => this.#judged(row));
    for (const { id } of tokens.filter(({ broken }) => broken)) this.#access.tellBroken('join_token', id);
    return new Map(tokens.map((token) => [token.hash.toString('hex'), token]));
  }

  /** The hosts that these keys made with these tokens, by {@link useKey}; `broken`: the row that says so was made outside the server. */
  async hostsOf(
    sql: Sql,
    pairs: readonly TokenAndKey[],
  ): Promise<ReadonlyMap<string, { readonly hostId: string } | 'broken'>> {
    const uses = await findJoinTokenUses(sql, pairs);
    const hosts = uses.map((use): [string, { readonly hostId: string } | 'broken'] => {
      if (isSealed(use.seal, this.#sealOfUse(use))) return [useKey(use), use];
      this.#access.tellBroken('join_token_use', use.tokenId);
      return [useKey(use), 'broken'];
    });
    return new Map(hosts);
  }

  /** The caller holds the tokens' locks, and has found them whole and with so many uses left. */
  async use(
    sql: Sql,
    made: readonly { readonly token: JoinToken; readonly keyFingerprint: Buffer; readonly hostId: string }[],
  ): Promise<void> {
    const counted = new Map<string, { readonly token: JoinToken; uses: number }>();
    const uses = made.map(({ token, keyFingerprint, hostId }) => {
      const count = counted.get(token.id) ?? { token, uses: token.uses };
      counted.set(token.id, count);
      count.uses += 1;
      const use = { tokenId: token.id, keyFingerprint, hostId, number: count.uses };
      return { ...use, seal: this.#seals.joinUse(use) };
    });
    const tokens = [...counted.values()].map(({ token, uses: total }) => ({
      id: token.id,
      uses: total,
      seal: this.#seals.joinToken({ ...token, uses: total }),
    }));
    await recordJoinTokenUses(sql, tokens, uses);
  }

  /** A token that ended stays as it ended. Undefined: no such token. */
  async revoke(sql: Sql, id: string): Promise<JoinToken | undefined> {
    const row = await lockJoinTokenById(sql, id);
    if (row === undefined) return undefined;
    if (row.revokedAt !== null) return this.#judged(row);
    const revokedAt = await sealableNow(sql);
    const seal = this.#seals.joinToken({ ...row, revokedAt });
    const ended = await updateJoinTokenRevoked(sql, { id, revokedAt, seal });
    return ended === undefined ? undefined : this.#judged(ended);
  }

  /** Seals the rows of before migration 0012. Rows that have a seal, right or wrong, are left as they are. */
  async sealUnsealed(sql: Sql): Promise<number> {
    const tokens = await unsealedJoinTokens(sql);
    const uses = await unsealedJoinTokenUses(sql);
    for (const row of tokens) await sealJoinToken(sql, { ...row, seal: this.#seals.joinToken(row) });
    await sealJoinTokenUses(
      sql,
      uses.map((use) => ({ ...use, seal: this.#sealOfUse(use) })),
    );
    return tokens.length + uses.length;
  }

  #judged(row: JoinTokenRow): JoinToken {
    return { ...row, broken: row.latestUse > row.uses || !isSealed(row.seal, this.#seals.joinToken(row)) };
  }

  #sealOfUse({ number, ...use }: JoinTokenUseRow): Buffer {
    return this.#seals.joinUse({ ...use, number: number ?? 0 });
  }
}
