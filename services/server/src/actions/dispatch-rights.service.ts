import { Inject, Injectable } from '@nestjs/common';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import type { Sql } from '../database/database.service.ts';
import { Sealing } from '../sign-in/sealing.ts';
import type { Asker, Requester } from './action-requester.ts';
import { selectRequesters } from './dispatch-rights.queries.ts';
import {
  type RequesterRows,
  type Standing,
  standingOf,
  type Withdrawal,
  whyWithdrawn,
} from './dispatch-rights.rules.ts';

/** The right to an action, once more when it is sent: by the rows of then, without a cache. */
@Injectable()
export class DispatchRights {
  readonly #repository: AccessRepository;
  readonly #access: AccessService;
  readonly #sealing: Sealing;

  constructor(
    @Inject(AccessRepository) repository: AccessRepository,
    @Inject(AccessService) access: AccessService,
    @Inject(Sealing) sealing: Sealing,
  ) {
    this.#repository = repository;
    this.#access = access;
    this.#sealing = sealing;
  }

  /** Its name is stored with the action, and sealed here. */
  requesterOf(actionId: string, { accountId, name, credential }: Asker): Requester {
    const tokenId = credential.kind === 'token' ? credential.id : null;
    const signInId = credential.kind === 'session' ? credential.id : null;
    const seal = this.#repository.seals.requester({ actionId, accountId, tokenId, signInId, name });
    return { accountId, tokenId, signInId, seal };
  }

  /** Why each of the actions may not be sent any more, by action; none for one that may. */
  async whyWithdrawn(sql: Sql, actionIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const requesters = await selectRequesters(sql, actionIds);
    const withdrawn = new Map<string, string>();
    const standings = new Map<string, Standing>();
    const standing = (rows: RequesterRows): Standing => {
      const key = [rows.accountId, rows.tokenId, rows.signInId].join(' ');
      const known = standings.get(key) ?? standingOf(rows, this.#repository.seals, this.#sealing);
      standings.set(key, known);
      return known;
    };
    for (const id of actionIds) {
      const rows = requesters.get(id);
      const withdrawal =
        rows === undefined ? NOT_THERE : whyWithdrawn(rows, this.#repository.seals, () => standing(rows));
      if (withdrawal?.broken !== undefined) this.#access.tellBroken(withdrawal.broken.kind, withdrawal.broken.id);
      if (withdrawal !== undefined) withdrawn.set(id, withdrawal.why);
    }
    return withdrawn;
  }
}

const NOT_THERE: Withdrawal = { why: 'it is not there any more' };
