/**
 * Grants that groups at the identity provider give.
 *
 * INVARIANTS
 * - Each has an end, sealed with it: that of the sign-in at which the groups were compared last. So who left a group has lost what it gave by then, with whatever
 *   credential, API tokens too.
 * - They are compared at each sign-in through the provider, and what no present rule gives ends at the start of the server. Grants that an admin gave stay.
 * - A grant that was changed outside the server is ended, never made whole.
 */
import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { AccessRepository } from '../../access/access.repository.ts';
import { type GrantRow, MAPPED_BY } from '../../access/access.rows.ts';
import { AccessService } from '../../access/access.service.ts';
import { lockAdmins, sealableNow } from '../../access/account.queries.ts';
import { lockMappedGrants } from '../../access/grant.queries.ts';
import { SERVER_SOURCE } from '../../audit/audit-source.ts';
import type { AuditDecision } from '../../audit/audit.model.ts';
import { AuditService } from '../../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { DatabaseService, type Sql } from '../../database/database.service.ts';
import { lastEndOf } from '../sessions/sign-in.queries.ts';
import type { GroupGrant } from './oidc-grants.ts';

type Right = Pick<GroupGrant, 'role' | 'selector'>;

export interface Aligned {
  readonly decisions: readonly AuditDecision[];
  /** A grant of an admin ended, and nobody is admin of the whole fleet now. */
  readonly leavesNoAdmin: boolean;
}

@Injectable()
export class GroupGrants implements OnApplicationBootstrap {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #access: AccessService;
  readonly #audit: AuditService;
  readonly #rules: readonly GroupGrant[];
  readonly #longestMs: number;
  readonly #logger = new Logger('access');

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AccessService) access: AccessService,
    @Inject(AuditService) audit: AuditService,
    @Inject(SERVER_CONFIG) config: ServerConfig,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#access = access;
    this.#audit = audit;
    this.#rules = config.oidc?.groupGrants ?? [];
    this.#longestMs = config.signInHours * 3_600_000;
  }

  /** After the rows of before seals were sealed (access.service.ts). */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.endUnruled();
    } catch (error) {
      // What has no end gives nothing meanwhile; what has one ends by itself.
      this.#logger.error({
        message: 'grants that no rule of MODFLEET_OIDC_GRANTS gives could not be ended; the next start tries again',
        err: error,
      });
    }
  }

  /** What an account has by its groups, from now until `endsAt`. */
  async align(sql: Sql, accountId: string, wanted: readonly Right[], endsAt: Date): Promise<Aligned> {
    await lockAdmins(sql);
    const wants = new Set(wanted.map(keyOf));
    const kept = new Set<string>();
    const gone: GrantRow[] = [];
    for (const row of await lockMappedGrants(sql, accountId)) {
      if (wants.has(keyOf(row)) && !kept.has(keyOf(row)) && this.#repository.isGrantSealed(row)) {
        await this.#repository.renewGrant(sql, row, endsAt);
        kept.add(keyOf(row));
      } else gone.push(row);
    }
    const decisions = await this.#end(sql, gone, 'no group gives it');
    for (const right of wanted.filter((one) => !kept.has(keyOf(one)))) {
      const { role, selector } = right;
      const { id } = await this.#repository.addGrant(sql, { accountId, role, selector, endsAt, createdBy: MAPPED_BY });
      decisions.push({ what: 'grant.add', object: id, selector, details: { role, by: MAPPED_BY } });
    }
    return { decisions, leavesNoAdmin: await this.#leavesNoAdmin(sql, gone) };
  }

  /** Ends what no rule gives any more, and gives an end to what earlier servers gave without one. @returns how many ended. */
  async endUnruled(): Promise<number> {
    const rules = new Set(this.#rules.map(keyOf));
    const done = await this.#database.tx('READ COMMITTED', async (sql) => {
      await lockAdmins(sql);
      const gone: GrantRow[] = [];
      const unsignedIn: GrantRow[] = [];
      for (const row of await lockMappedGrants(sql, null)) {
        if (!rules.has(keyOf(row))) gone.push(row);
        else if (row.ends_at === null && this.#repository.isGrantSealed(row)) {
          const endsAt = await lastEndOf(sql, row.account_id, 'oidc');
          // Whatever that row says: it is not looked at by its seal here.
          const latest = new Date((await sealableNow(sql)).getTime() + this.#longestMs);
          if (endsAt === undefined) unsignedIn.push(row);
          else await this.#repository.renewGrant(sql, row, endsAt < latest ? endsAt : latest);
        }
      }
      const decisions = [
        ...(await this.#end(sql, gone, 'no rule of MODFLEET_OIDC_GRANTS gives it')),
        ...(await this.#end(sql, unsignedIn, 'no sign-in of the account is open')),
      ];
      if (decisions.length > 0) await this.#audit.record(sql, SERVER_SOURCE, ...decisions);
      const ended = [...gone, ...unsignedIn];
      return { ended, leavesNoAdmin: await this.#leavesNoAdmin(sql, ended) };
    });
    for (const { id, account_name: account, role, selector } of done.ended)
      this.#logger.warn({ message: 'a grant that a group gave is ended', id, account, role, selector });
    await this.#access.changed();
    if (done.leavesNoAdmin) this.tellNoAdmin();
    return done.ended.length;
  }

  tellNoAdmin(): void {
    this.#logger.error({
      message:
        "no account is admin of the whole fleet any more: its groups at the identity provider gave that; a way back in, on the server's machine: modfleet-server token create --name NAME",
    });
  }

  async #end(sql: Sql, rows: readonly GrantRow[], why: string): Promise<AuditDecision[]> {
    const decisions: AuditDecision[] = [];
    for (const { id, role, selector, account_name: account } of rows) {
      await this.#repository.revokeGrant(sql, id, MAPPED_BY);
      decisions.push({ what: 'grant.remove', object: id, selector, details: { account, role, by: MAPPED_BY, why } });
    }
    return decisions;
  }

  async #leavesNoAdmin(sql: Sql, gone: readonly GrantRow[]): Promise<boolean> {
    if (!gone.some((row) => row.role === 'admin' && row.selector === null)) return false;
    return (await this.#repository.fleetAdmins(sql, 'all')).size === 0;
  }
}

function keyOf({ role, selector }: { readonly role: string; readonly selector: string | null }): string {
  return `${role} ${selector ?? ''}`;
}
