import { Inject, Injectable } from '@nestjs/common';
import type { HostScope } from '../access/host-scope.ts';
import { DatabaseService } from '../database/database.service.ts';
import { FreezeService, type Freeze } from '../freeze/freeze.service.ts';
import { resolveTarget, type Target } from '../selectors/target.ts';
import { selectHeldHosts, selectTime, type HeldHost } from './query-targets.queries.ts';

/** Who is to be asked, as one moment of the database has it. */
export interface ResolvedHosts {
  readonly hosts: readonly HeldHost[];
  readonly unknown: number;
  readonly asOf: Date;
  readonly freeze: Freeze;
}

@Injectable()
export class QueryTargets {
  readonly #database: DatabaseService;
  readonly #freeze: FreezeService;

  constructor(@Inject(DatabaseService) database: DatabaseService, @Inject(FreezeService) freeze: FreezeService) {
    this.#database = database;
    this.#freeze = freeze;
  }

  /** @throws SelectorError; AppError host_not_found, host_ambiguous, host_retired. */
  resolve(target: Target, scope: HostScope): Promise<ResolvedHosts> {
    return this.#database.tx('REPEATABLE READ READ ONLY', async (sql) => {
      const { hosts, unknown } = await resolveTarget(sql, target, scope);
      const held = await selectHeldHosts(
        sql,
        hosts.map((host) => host.id),
      );
      return { hosts: held, unknown, asOf: await selectTime(sql), freeze: await this.#freeze.read(sql) };
    });
  }
}
