import { Inject, Injectable } from '@nestjs/common';
import { AccessRepository } from '../access/access.repository.ts';
import { AccessService } from '../access/access.service.ts';
import type { Caller } from '../access/caller.ts';
import type { Sql } from '../database/database.service.ts';
import { selectRequester } from './dispatch-rights.queries.ts';
import { whyWithdrawn } from './dispatch-rights.rules.ts';

/** Who asked for an action, as it is stored with it. */
export interface Requester {
  readonly accountId: string;
  readonly tokenId: string | null;
  readonly seal: Buffer;
}

/** The right to an action, once more when it is sent: by the rows of then, without a cache. */
@Injectable()
export class DispatchRights {
  readonly #repository: AccessRepository;
  readonly #access: AccessService;

  constructor(@Inject(AccessRepository) repository: AccessRepository, @Inject(AccessService) access: AccessService) {
    this.#repository = repository;
    this.#access = access;
  }

  requesterOf(actionId: string, { accountId, credential }: Caller): Requester {
    const tokenId = credential.kind === 'token' ? credential.id : null;
    return { accountId, tokenId, seal: this.#repository.seals.requester({ actionId, accountId, tokenId }) };
  }

  /** Why the action may not be sent any more; undefined: it may. */
  async whyWithdrawn(sql: Sql, actionId: string): Promise<string | undefined> {
    const rows = await selectRequester(sql, actionId);
    if (rows === undefined) return 'it is not there any more';
    const withdrawal = whyWithdrawn(rows, this.#repository.seals);
    if (withdrawal?.broken !== undefined) this.#access.tellBroken(withdrawal.broken.kind, withdrawal.broken.id);
    return withdrawal?.why;
  }
}
