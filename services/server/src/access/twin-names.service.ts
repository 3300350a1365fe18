import { Inject, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { AccessRepository, BrokenSealError } from './access.repository.ts';
import type { AccountRow } from './access.rows.ts';
import { findAccountFolded, lockTwins } from './account.queries.ts';
import { AccessService } from './access.service.ts';

/** An account that had another's name but for upper and lower case. */
export interface Renamed {
  readonly id: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Gives accounts that earlier servers made beside one of the same name, but for upper and lower case, names of their own. Id, grants, tokens, password and
 * identities stay: who signs in with a password types the new name.
 *
 * Here and not in migration 0011, because a name is sealed. Afterwards, and on every other server, there is nothing to do.
 */
@Injectable()
export class TwinNames implements OnApplicationBootstrap {
  readonly #logger = new Logger('access');
  readonly #database: DatabaseService;
  readonly #repository: AccessRepository;
  readonly #access: AccessService;
  readonly #audit: AuditService;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AccessService) access: AccessService,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#database = database;
    this.#repository = repository;
    this.#access = access;
    this.#audit = audit;
  }

  /** After the rows of before seals were sealed (access.service.ts). */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await this.part();
    } catch (error) {
      this.#logger.error({
        message: 'accounts of one name could not be told apart; the next start tries again',
        err: error,
      });
    }
  }

  async part(): Promise<readonly Renamed[]> {
    const renamed = await this.#database.tx('READ COMMITTED', async (sql) => {
      const done: Renamed[] = [];
      for (const row of await lockTwins(sql)) {
        const to = await this.#rename(sql, row);
        if (to !== undefined) done.push({ id: row.id, from: row.name, to });
      }
      return done;
    });
    for (const { id, from, to } of renamed)
      this.#logger.warn({
        message: `the account ${from} is called ${to} from now on: another account has its name but for upper and lower case`,
        account: id,
      });
    if (renamed.length > 0) await this.#access.changed();
    return renamed;
  }

  async #rename(sql: Sql, row: AccountRow): Promise<string | undefined> {
    const name = await freeName(row.name, async (one) => (await findAccountFolded(sql, one)) !== undefined);
    try {
      await this.#repository.renameTwin(sql, row, name);
    } catch (error) {
      // It gives nothing, whatever it is called.
      if (!(error instanceof BrokenSealError)) throw error;
      this.#access.tellBroken('account', row.id);
      return undefined;
    }
    const details = { from: row.name, to: name };
    await this.#audit.record(sql, SERVER_SOURCE, { what: 'account.rename', object: row.id, details });
    return name;
  }
}

/** Room for the number: a name has at most 100 characters. */
const KEPT_CHARACTERS = 90;

async function freeName(name: string, isTaken: (name: string) => Promise<boolean>): Promise<string> {
  for (let number = 2; ; number += 1) {
    const wanted = `${name.slice(0, KEPT_CHARACTERS)}-${number}`;
    if (!(await isTaken(wanted))) return wanted;
  }
}
