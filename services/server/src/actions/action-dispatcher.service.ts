import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AgentGateway } from '../agent-session/agent-gateway.ts';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { DatabaseService, type Sql } from '../database/database.service.ts';
import { Grouped } from '../database/grouped.ts';
import { ReplicaMail } from '../replica-mail/replica-mail.service.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { ActionChanges } from './action-changes.service.ts';
import { toRequest } from './action.mapper.ts';
import type { HeldAction, StoredAction } from './action.model.ts';
import { ActionRepository, type Applied, type Change } from './action.repository.ts';
import { ASK_AGAIN_MS } from './action.states.ts';
import {
  claimNext,
  isHalted,
  lockHostsDispatch,
  selectHolder,
  selectHolders,
  selectHostsWithWork,
  selectPending,
  selectQueuedHosts,
} from './dispatch.queries.ts';
import { sayAgain } from './dispatch.rules.ts';
import { DispatchRights } from './dispatch-rights.service.ts';
import { HostWork } from './host-work.ts';

/*
 * INVARIANTS
 * - An action is marked dispatched, under every guard, before its first byte is written; it goes back to the queue only when nothing was.
 * - Whoever asked for it still has the right to, by rows of this transaction: else it ends here (right_withdrawn) or is asked back.
 * - Only the replica that holds the host's session sends to it.
 * - The same id is always sent with the same digest: the request is built from the row alone.
 * - An action whose cancel was asked for is not sent again before its expiry, only its cancel is: nothing starts by being asked to stop.
 * - While a freeze holds, or commands are stopped, nothing is sent again either: the host may not have got it the first time.
 * - Nothing is signed here: what is forwarded is what was signed when it was accepted, of the epoch that holds.
 * - Hosts that come at about the same time are decided in one transaction; one whose rows break it is decided, and fails, alone.
 */

/** Hosts that are decided in one transaction. It holds the freeze and the gates in share mode: whoever stops waits for one of these, some 50 ms. */
const TOGETHER = 100;
/** Hosts that are looked after at a time: those of one transaction, and those that wait for the next. Thousands at once would leave the API no connection to Postgres. */
const AT_ONCE = 2 * TOGETHER;

/** Between two groups while many hosts have their turn: some fifteen statements are shared by those of so long. */
const BREATH_MS = 30;

/** What became of a host's turn: its next action was marked or ended; `again`: somebody changed that meanwhile; undefined: there is none to be sent. */
type Turn = Applied | 'again' | undefined;

/** Sends actions to the hosts of this replica. Wake-ups may be lost: the sweep finds what they leave. */
@Injectable()
export class ActionDispatcher implements OnModuleInit, OnModuleDestroy {
  readonly #logger = new Logger('actions');
  readonly #work = new HostWork((hostId, fromStart) => this.#round(hostId, fromStart), AT_ONCE);
  /** Hosts that have not been told again what they were sent before: a freeze held, or Postgres was away. */
  readonly #owed = new Set<string>();
  readonly #turns = new Grouped<string, Turn>({
    max: TOGETHER,
    breathMs: BREATH_MS,
    keyOf: (hostId) => hostId,
    run: (hostIds) => this.#decide(hostIds),
  });
  readonly #database: DatabaseService;
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #gateway: AgentGateway;
  readonly #mail: ReplicaMail;
  readonly #rights: DispatchRights;
  readonly #audit: AuditService;
  readonly #epoch: EpochFile;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(ReplicaMail) mail: ReplicaMail,
    @Inject(DispatchRights) rights: DispatchRights,
    @Inject(AuditService) audit: AuditService,
    @Inject(EpochFile) epoch: EpochFile,
  ) {
    this.#database = database;
    this.#actions = actions;
    this.#changes = changes;
    this.#gateway = gateway;
    this.#mail = mail;
    this.#rights = rights;
    this.#audit = audit;
    this.#epoch = epoch;
  }

  onModuleInit(): void {
    this.#mail.on('drive_host', ({ hostId }) => this.#work.request(hostId, false));
    this.#mail.on('cancel', ({ hostId, actionId }) => this.#sendCancel(hostId, actionId));
    this.#gateway.register({
      onConnected: ({ hostId }) => this.#work.request(hostId, true),
      onDisconnected: ({ hostId }) => void (this.#gateway.isConnectedHere(hostId) || this.#owed.delete(hostId)),
    });
  }

  onModuleDestroy(): Promise<void> {
    return this.#work.stop();
  }

  /** Resolves when nothing is being sent. */
  idle(): Promise<void> {
    return this.#work.idle();
  }

  /** Something may have to be sent to the host, wherever it is connected. Never fails. */
  async wake(hostId: string): Promise<void> {
    if (this.#gateway.isConnectedHere(hostId)) return this.#work.request(hostId, false);
    const holder = await selectHolder(this.#database, hostId).catch(() => undefined);
    if (holder !== undefined && holder !== this.#mail.self) this.#mail.send(holder, { kind: 'drive_host', hostId });
  }

  /** The same for many hosts at once. Never fails. */
  async wakeAll(hostIds: readonly string[]): Promise<void> {
    const elsewhere = hostIds.filter((hostId) => !this.#gateway.isConnectedHere(hostId));
    for (const hostId of hostIds) if (this.#gateway.isConnectedHere(hostId)) this.#work.request(hostId, false);
    if (elsewhere.length === 0) return;
    const holders = await selectHolders(this.#database, elsewhere).catch(() => new Map<string, string>());
    for (const [hostId, holder] of holders)
      if (holder !== this.#mail.self) this.#mail.send(holder, { kind: 'drive_host', hostId });
  }

  /** Asks the host to take an action back, wherever it is connected; the answer comes as progress or result. */
  async requestCancel(action: Pick<StoredAction, 'id' | 'hostId'>): Promise<void> {
    const holder = this.#gateway.isConnectedHere(action.hostId)
      ? this.#mail.self
      : await selectHolder(this.#database, action.hostId);
    if (holder !== undefined) this.#mail.send(holder, { kind: 'cancel', hostId: action.hostId, actionId: action.id });
  }

  /** Looks at everything that may have to be sent from here: after a thaw, after lost wake-ups, every few seconds. */
  async driveAll(): Promise<void> {
    for (const hostId of this.#owed) this.#work.request(hostId, true);
    for (const hostId of await selectHostsWithWork(this.#database, this.#mail.self, this.#epoch.read()))
      this.#work.request(hostId, false);
  }

  async #round(hostId: string, fromStart: boolean): Promise<void> {
    if (!this.#gateway.isConnectedHere(hostId)) return;
    try {
      if (fromStart) await this.#sayAgain(hostId);
      else await this.#sendNext(hostId);
    } catch (error) {
      if (fromStart) this.#owed.add(hostId);
      this.#logger.warn({
        message: 'the actions of a host could not be sent now; the sweep tries again',
        hostId,
        err: error,
      });
    }
  }

  /** The host answers what it knows from its journal, runs what it never got, and says `expired` of what came too late. */
  async #sayAgain(hostId: string): Promise<void> {
    const { owed, say, thenNext } = sayAgain(
      await selectPending(this.#database, hostId, this.#mail.self, ASK_AGAIN_MS, this.#epoch.read()),
    );
    if (owed) {
      this.#owed.add(hostId);
      return;
    }
    this.#owed.delete(hostId);
    for (const { kind, id } of say) {
      // A freeze or a stop may have come since: what is left is owed.
      if (kind === 'request' && (await isHalted(this.#database))) {
        this.#owed.add(hostId);
        return;
      }
      const sent =
        kind === 'cancel' || (await this.#isTakenBack(id))
          ? this.#sendCancel(hostId, id)
          : await this.#saySentAgain(id);
      if (!sent) return;
    }
    if (thenNext) await this.#sendNext(hostId);
  }

  /** What was sent and has not started, as far as is known, is asked back when the right to it is gone. */
  async #isTakenBack(id: string): Promise<boolean> {
    const why = (await this.#rights.whyWithdrawn(this.#database, [id])).get(id);
    const applied = why === undefined ? undefined : await this.#actions.apply(id, { kind: 'withdraw', why });
    if (applied !== undefined) this.#changes.applied(applied);
    return applied?.effects.some((effect) => effect.kind === 'send_cancel') === true;
  }

  /** False when the session is gone. */
  async #saySentAgain(id: string): Promise<boolean> {
    const action = await this.#actions.find(id);
    return action === undefined || this.#send(action, true);
  }

  async #sendNext(hostId: string): Promise<void> {
    const turn = await this.#turns.call(hostId);
    if (turn === undefined) return;
    if (turn === 'again') return this.#work.request(hostId, false);
    if (turn.after.state !== 'dispatched') {
      this.#changes.applied(turn);
      return this.#work.request(hostId, false);
    }
    if (this.#send(turn.after)) return this.#changes.applied(turn);
    const back = await this.#actions.apply(turn.after.id, { kind: 'not_sent' });
    if (back !== undefined) this.#changes.applied(back);
  }

  /** Marks the next action of each host, or ends it where the right to it is gone. About twelve statements, whatever the number of hosts. */
  async #decide(hostIds: readonly string[]): Promise<Turn[]> {
    // After each result its host is asked for: most have nothing, and take no lock.
    const queued = await selectQueuedHosts(this.#database, hostIds);
    const asked = hostIds.filter((hostId) => queued.has(hostId));
    const turns =
      asked.length === 0
        ? new Map<string, Turn>()
        : await this.#database.tx('READ COMMITTED', (sql) => this.#decideIn(sql, asked));
    return hostIds.map((hostId) => turns.get(hostId));
  }

  async #decideIn(sql: Sql, hostIds: readonly string[]): Promise<Map<string, Turn>> {
    await lockHostsDispatch(sql, hostIds);
    const { ids, again } = await claimNext(sql, hostIds, this.#mail.self, () => this.#epoch.read());
    const turns = new Map<string, Turn>(again.map((hostId) => [hostId, 'again']));
    if (ids.size === 0) return turns;
    const withdrawn = await this.#rights.whyWithdrawn(sql, [...ids.values()]);
    const changes = [...ids.values()].map((id): Change => {
      const why = withdrawn.get(id);
      return { id, event: why === undefined ? { kind: 'dispatch' } : { kind: 'withdraw', why } };
    });
    const applied = await this.#actions.applyAllIn(sql, changes);
    for (const one of applied) turns.set(one.before.hostId, one);
    await this.#audit.record(
      sql,
      SERVER_SOURCE,
      ...applied.flatMap(({ before: { id, kmod, hostId } }) => {
        const reason = withdrawn.get(id);
        return reason === undefined
          ? []
          : { what: 'action.withdraw' as const, object: id, kmod, hosts: [hostId], reason };
      }),
    );
    return turns;
  }

  #send(action: HeldAction, sentBefore = false): boolean {
    const request = sentBefore ? { ...toRequest(action), sentBefore } : toRequest(action);
    return this.#gateway.send(action.hostId, { $case: 'actionRequest', value: request }) === 'sent';
  }

  #sendCancel(hostId: string, actionId: string): boolean {
    return this.#gateway.send(hostId, { $case: 'actionCancel', value: { actionId } }) === 'sent';
  }
}
