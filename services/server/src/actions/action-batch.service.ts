import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { OverrideWord, VerbWord } from '@modfleet/proto';
import { type NumberedHost, takeCommandSequences } from '../command-stop/command-stop.queries.ts';
import { CommandStopService } from '../command-stop/command-stop.service.ts';
import type { Sql } from '../database/database.service.ts';
import { CommandSigner } from '../signing/command-signer.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import { toUnsignedRequest } from './action.mapper.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import type { NewAction, UndoStepJson } from './action.model.ts';
import { selectNow } from './action.queries.ts';
import { ActionRepository, type SignedAction } from './action.repository.ts';
import type { Asker } from './action-requester.ts';
import { DispatchRights } from './dispatch-rights.service.ts';

export type { Asker } from './action-requester.ts';

/** One action of a batch. */
export interface BatchAction {
  readonly hostId: string;
  readonly verb: VerbWord;
  readonly kmod: string;
  /** name=value, sorted by name. */
  readonly parameters: readonly string[];
  readonly dryRun: boolean;
  /** Seconds; 0: no confirm window. */
  readonly confirmWindowSeconds: number;
  readonly overrides: readonly OverrideWord[];
  readonly expiresAt: Date;
  /** Digests of the plans that the host may carry out; empty: any. */
  readonly approvedPlans: readonly Uint8Array[];
  /** Of a restore: what to do, in order. */
  readonly undo: readonly UndoStepJson[];
  readonly rolloutId: string | null;
  readonly planId: string | null;
  readonly reason: string | null;
}

/** Why a host has no action, as the errors for a single one say it. */
export type LeftOutWord = 'host_not_found' | 'host_retired' | 'host_revoked' | 'host_quarantined';

/** What became of a batch. */
export interface CreatedBatch {
  /** Action by host. */
  readonly ids: ReadonlyMap<string, string>;
  /** Why, by host. */
  readonly left: ReadonlyMap<string, LeftOutWord>;
}

/** Hosts a statement; JSON of this many actions is about a megabyte. */
const CHUNK = 1_000;

/**
 * Accepts many actions in a transaction of the caller's.
 *
 * INVARIANTS
 * - Three statements for each thousand hosts, whatever their number.
 * - Hosts are taken in the order of their ids: two batches over the same hosts never wait for each other.
 * - The caller has decided that the hosts may be acted on by whoever asks, and has read the freeze. What a host itself is (retired, revoked, quarantined) is
 *   read here, while its row is held.
 */
@Injectable()
export class ActionBatch {
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #commands: CommandStopService;
  readonly #dispatcher: ActionDispatcher;
  readonly #metrics: ActionMetrics;
  readonly #rights: DispatchRights;
  readonly #signer: CommandSigner;

  constructor(
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(CommandStopService) commands: CommandStopService,
    @Inject(ActionDispatcher) dispatcher: ActionDispatcher,
    @Inject(ActionMetrics) metrics: ActionMetrics,
    @Inject(DispatchRights) rights: DispatchRights,
    @Inject(CommandSigner) signer: CommandSigner,
  ) {
    this.#actions = actions;
    this.#changes = changes;
    this.#commands = commands;
    this.#dispatcher = dispatcher;
    this.#metrics = metrics;
    this.#rights = rights;
    this.#signer = signer;
  }

  /**
   * Numbers, signs and stores actions, one a host; {@link begin} after the commit. Hosts that may not be acted on are left out and told.
   *
   * @throws AppError database_behind; Error when two actions are for one host.
   */
  async create(sql: Sql, actions: readonly BatchAction[], asker: Asker): Promise<CreatedBatch> {
    const byHost = new Map(actions.map((action) => [action.hostId, action]));
    if (byHost.size < actions.length) throw new Error('a batch has one action for each host');
    const epoch = await this.#commands.admit(sql);
    const ids = new Map<string, string>();
    const left = new Map<string, LeftOutWord>();
    const hostIds = [...byHost.keys()].sort();
    for (let from = 0; from < hostIds.length; from += CHUNK) {
      const some = hostIds.slice(from, from + CHUNK);
      const numbered = new Map((await takeCommandSequences(sql, some)).map((host) => [host.hostId, host]));
      const now = await selectNow(sql);
      const signed: SignedAction[] = [];
      for (const hostId of some) {
        const host = numbered.get(hostId);
        const action = byHost.get(hostId);
        if (action === undefined || host === undefined || host.sequence === null) left.set(hostId, whyLeft(host));
        else {
          const one = await this.#signed({ ...action, epoch, sequence: host.sequence, notBefore: now }, asker);
          signed.push(one);
          ids.set(hostId, one.action.id);
        }
      }
      if (signed.length > 0) await this.#actions.insert(sql, signed);
    }
    return { ids, left };
  }

  /** After the commit: counts them, tells watchers and wakes whoever holds the sessions of the hosts. Never fails: the sweep would find the actions too. */
  begin(created: readonly { readonly hostId: string; readonly actionId: string; readonly verb: VerbWord }[]): void {
    for (const { verb } of created) this.#metrics.accepted(verb);
    this.#changes.announce(created.map(({ actionId }) => actionId));
    void this.#dispatcher.wakeAll(created.map(({ hostId }) => hostId));
  }

  /**
   * Cancels those that are still queued, in the caller's transaction; the others are left as they are. {@link withdrawn} after its commit. Not while commands are
   * stopped: what is called queued then may have been sent before the database was put back.
   *
   * @returns ids of those that were cancelled.
   */
  withdrawQueued(sql: Sql, actionIds: readonly string[], by: string): Promise<readonly string[]> {
    return this.#actions.cancelQueued(sql, actionIds, by);
  }

  /** After the commit: counts them and tells watchers. Never fails. */
  withdrawn(actionIds: readonly string[]): void {
    if (actionIds.length === 0) return;
    this.#metrics.cancelled(actionIds.length);
    this.#changes.announce(actionIds);
  }

  async #signed(
    asked: BatchAction & Pick<NewAction, 'epoch' | 'sequence' | 'notBefore'>,
    asker: Asker,
  ): Promise<SignedAction> {
    const id = randomUUID();
    const action: NewAction = { ...asked, id, requestedBy: asker.name };
    const envelope = await this.#signer.sign(toUnsignedRequest(action));
    return { action, requester: this.#rights.requesterOf(id, asker), envelope };
  }
}

function whyLeft(host: NumberedHost | undefined): LeftOutWord {
  if (host === undefined) return 'host_not_found';
  if (host.retired) return 'host_retired';
  return host.revoked ? 'host_revoked' : 'host_quarantined';
}
