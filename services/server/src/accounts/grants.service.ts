import { Inject, Injectable } from '@nestjs/common';
import type { z } from 'zod';
import { isUuid } from '@modfleet/proto';
import { AccessRepository } from '../access/access.repository.ts';
import type { GrantRow } from '../access/access.rows.ts';
import { lockAdmins } from '../access/account.queries.ts';
import type { Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import { listGrants, lockGrant } from '../access/grant.queries.ts';
import { isWithin, type LabelSelector, parseGrantSelector } from '../access/host-scope.ts';
import { isRole } from '../access/roles.ts';
import type { AuditSource } from '../audit/audit.model.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { SelectorError } from '../selectors/selector.ast.ts';
import { lastAdmin, requireAccount } from './accounts.service.ts';
import type { addGrantBody } from './accounts.schema.ts';
import { type GrantItem, toGrantItem } from './accounts.view.ts';

/** Grants of one page; an account has a handful. */
const BATCH = 500;

/**
 * Grants.
 *
 * INVARIANTS
 * - Nobody gives or takes more than they have: an admin of some hosts gives rights over those (or fewer), sees those grants alone, and ends those alone.
 * - There is always an account that is admin of the whole fleet by a grant that does not end by itself, if there was one.
 */
@Injectable()
export class GrantsService {
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #audit: AuditService;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#audit = audit;
  }

  /** By account name. @throws AppError account_not_found. */
  async list(
    filter: { readonly account?: string | undefined; readonly includeRevoked: boolean },
    limit: number,
    after: { readonly accountName: string; readonly id: string } | null,
    caller: Caller,
  ): Promise<{ items: GrantItem[]; next: { accountName: string; id: string } | null }> {
    const accountId = filter.account === undefined ? null : (await requireAccount(this.#database, filter.account)).id;
    const query = { accountId, includeRevoked: filter.includeRevoked };
    const seen: GrantRow[] = [];
    let position = after;
    for (;;) {
      const rows = await listGrants(this.#database, query, BATCH, position);
      seen.push(...rows.filter((row) => holds(caller, selectorOf(row))));
      const last = rows.at(-1);
      if (seen.length > limit || rows.length < BATCH || last === undefined) break;
      position = { accountName: last.account_name, id: last.id };
    }
    const page = seen.slice(0, limit);
    const last = page.at(-1);
    const next = seen.length > limit && last !== undefined ? { accountName: last.account_name, id: last.id } : null;
    return { items: page.map((row) => this.#item(row)), next };
  }

  /** The same grant once more is the one that is there. @throws SelectorError; AppError account_not_found, forbidden. */
  async add(sql: Sql, body: z.output<typeof addGrantBody>, caller: Caller, source: AuditSource): Promise<GrantItem> {
    const selector = body.all === true ? null : (body.selector ?? '').trim();
    const parsed = selector === null ? null : parseGrantSelector(selector);
    if (!holds(caller, parsed)) throw tooMuch(caller, selector);
    const account = await requireAccount(sql, body.account);
    const same = (await listGrants(sql, { accountId: account.id, includeRevoked: false }, BATCH, null)).find(
      (row) =>
        row.role === body.role &&
        row.selector === selector &&
        row.ends_at === null &&
        this.#repository.isGrantSealed(row),
    );
    const row =
      same ??
      (await this.#repository.addGrant(sql, {
        accountId: account.id,
        role: body.role,
        selector,
        createdBy: caller.name,
      }));
    const details = { account: account.name, role: body.role };
    await this.#audit.record(sql, source, {
      what: 'grant.add',
      object: row.id,
      selector: selector ?? '--all',
      details,
    });
    return this.#item(row);
  }

  /** @throws AppError grant_not_found, last_admin. */
  async remove(sql: Sql, id: string, caller: Caller, source: AuditSource): Promise<GrantItem> {
    await lockAdmins(sql);
    const row = isUuid(id) ? await lockGrant(sql, id) : undefined;
    if (row === undefined || !holds(caller, selectorOf(row)))
      throw new AppError(
        'grant_not_found',
        `there is no grant ${JSON.stringify(id.slice(0, 64))}; GET /api/v1/grants lists them`,
      );
    const admins = await this.#repository.fleetAdmins(sql, 'lasting');
    const own = admins.get(row.account_id);
    if (admins.size === 1 && own?.length === 1 && own[0] === id) throw lastAdmin(row.account_name);
    const revoked = await this.#repository.revokeGrant(sql, id, caller.name);
    if (revoked === undefined) throw new Error(`the grant ${id} is gone`);
    const details = { account: row.account_name, role: row.role };
    await this.#audit.record(sql, source, {
      what: 'grant.remove',
      object: id,
      selector: row.selector ?? '--all',
      details,
    });
    return this.#item(revoked);
  }

  #item(row: GrantRow): GrantItem {
    return toGrantItem(row, this.#repository.isGrantSealed(row));
  }
}

/** Whether the caller is admin of all hosts that a selector can take. */
function holds(caller: Caller, selector: LabelSelector | null | 'unreadable'): boolean {
  const scope = scopeOf(caller, 'access');
  if (scope === 'all') return true;
  return selector !== 'unreadable' && scope.some((wide) => isWithin(selector, wide));
}

/** A selector that was changed by hand may be none: only admins of the whole fleet have to do with such a grant. */
function selectorOf(row: GrantRow): LabelSelector | null | 'unreadable' {
  if (row.selector === null) return null;
  if (!isRole(row.role)) return 'unreadable';
  try {
    return parseGrantSelector(row.selector);
  } catch (error) {
    if (error instanceof SelectorError) return 'unreadable';
    throw error;
  }
}

function tooMuch(caller: Caller, selector: string | null): AppError {
  const wanted = selector === null ? 'the whole fleet' : JSON.stringify(selector);
  return new AppError(
    'forbidden',
    `the account ${caller.name} is not admin of ${wanted}, and nobody gives more than they have; a narrower selector has every requirement of your own grant in it`,
  );
}
