import { Inject, Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { ActionResult, ActionProgress } from '@modfleet/proto';
import { assertNever, isUuid } from '@modfleet/proto';
import { AgentGateway, type ConnectedHost } from '../agent-session/agent-gateway.ts';
import { isUnavailable } from '../database/database.errors.ts';
import { Grouped } from '../database/grouped.ts';
import { ActionChanges } from './action-changes.service.ts';
import { ActionDispatcher } from './action-dispatcher.service.ts';
import {
  isAbout,
  text,
  toHostMessage,
  toProgressEvent,
  toReport,
  toRequest,
  toStoredResult,
  toStoredVerdict,
} from './action.mapper.ts';
import { ActionMetrics } from './action-metrics.service.ts';
import { ActionRepository, type Applied, type HostReport, type Reported, type Said } from './action.repository.ts';
import { rawReport, storable } from './raw-report.ts';

/*
 * INVARIANTS
 * - A result is acknowledged only after it is committed: as the action's own, or kept apart.
 * - What comes over a session that a newer one has superseded changes no action: the host may have been sent the action again meanwhile.
 * - A host speaks for its own actions only; what it says of another's is kept apart under its own name.
 * - While Postgres is away results wait here, the newest of each id, in bounded number; beyond it the host is asked to come back later, and
 *   says them again then.
 * - What many hosts say at the same time is stored in one transaction; what breaks it is stored, and fails, alone.
 */

/** Reports that are stored in one transaction. */
const TOGETHER = 100;
/** Between two such transactions while many hosts speak. */
const BREATH_MS = 30;

/** Results that wait for Postgres; each is a few KiB. */
const WAITING_LIMIT = 2_000;
const RETRY_MS = 500;
/** A host whose result could not be kept comes back after this long. */
const COME_BACK_MS = 10_000;

/** Who speaks, and over which of its sessions. */
type Speaker = Pick<ConnectedHost, 'hostId' | 'sessionNo'>;

/** Of a report that is kept in the log alone: a host that lies must not fill the disk. */
const LOGGED_CHARACTERS = 4_096;

/** Takes in what hosts say about actions. */
@Injectable()
export class ActionIntake implements OnModuleInit, OnModuleDestroy {
  readonly #logger = new Logger('actions');
  readonly #actions: ActionRepository;
  readonly #changes: ActionChanges;
  readonly #dispatcher: ActionDispatcher;
  readonly #gateway: AgentGateway;
  readonly #metrics: ActionMetrics;
  readonly #reports = new Grouped<HostReport, Reported>({
    max: TOGETHER,
    breathMs: BREATH_MS,
    keyOf: ({ id }) => id,
    run: (reports) => this.#actions.applyReports(reports),
  });
  readonly #waiting = new Map<string, { readonly session: Speaker; readonly result: ActionResult }>();
  #retry: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    @Inject(ActionRepository) actions: ActionRepository,
    @Inject(ActionChanges) changes: ActionChanges,
    @Inject(ActionDispatcher) dispatcher: ActionDispatcher,
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(ActionMetrics) metrics: ActionMetrics,
  ) {
    this.#actions = actions;
    this.#changes = changes;
    this.#dispatcher = dispatcher;
    this.#gateway = gateway;
    this.#metrics = metrics;
  }

  onModuleInit(): void {
    this.#gateway.register({
      onActionProgress: ({ hostId }, progress) => this.progress(hostId, progress),
      onActionResult: (session, result) => this.result(session, result),
    });
  }

  onModuleDestroy(): void {
    this.#stopped = true;
    clearTimeout(this.#retry);
  }

  /** Progress that Postgres could not take is lost; the result says as much. */
  async progress(hostId: string, told: ActionProgress): Promise<void> {
    const progress = storable(told);
    const event = toProgressEvent(progress.phase, progress.confirmDeadlineMs);
    if (event === undefined || !isUuid(progress.actionId)) return;
    const said: Said = progress.verdict === undefined ? {} : { verdict: toStoredVerdict(progress.verdict) };
    try {
      const reported = await this.#reports.call({ id: progress.actionId, hostId, event, said });
      if (reported.kind === 'applied') this.#announced(reported.applied);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
  }

  async result(session: Speaker, told: ActionResult): Promise<void> {
    const { hostId } = session;
    const result = storable(told);
    if (!isUuid(result.actionId)) {
      // No id of ours looks so: there is no row to keep it under, and the log is what is left.
      this.#logger.error({
        message: 'a host reports an action under an id that cannot be one',
        hostId,
        result: JSON.stringify(rawReport(result)).slice(0, LOGGED_CHARACTERS),
      });
      return this.#acknowledge(hostId, told.actionId);
    }
    try {
      await this.#store(session, result);
    } catch (error) {
      if (!isUnavailable(error)) throw error;
      this.#keepForLater(session, result);
    }
  }

  async #store(session: Speaker, result: ActionResult): Promise<void> {
    const { hostId, sessionNo } = session;
    const { actionId } = result;
    const reported = await this.#reports.call({
      id: actionId,
      hostId,
      event: { kind: 'result', ...toReport(result) },
      said: {
        result: toStoredResult(result),
        hostMessage: toHostMessage(result),
        raw: rawReport(result),
        ...(result.verdict === undefined ? {} : { verdict: toStoredVerdict(result.verdict) }),
      },
      result: { sessionNo, isAbout: (known) => isAbout(result, known, () => toRequest(known)) },
    });
    switch (reported.kind) {
      case 'superseded':
        // Not acknowledged: if it is still so, the host says it over its present session.
        return;
      case 'apart':
        this.#metrics.keptApart();
        this.#logger.error({
          message: 'a report of a host is none of an action here; it is kept',
          hostId,
          actionId,
          why: reported.why,
        });
        break;
      case 'applied':
        this.#announced(reported.applied);
        break;
      default:
        return assertNever(reported);
    }
    this.#acknowledge(hostId, actionId);
  }

  #announced(applied: Applied | undefined): void {
    if (applied === undefined) return;
    this.#changes.applied(applied);
    if (applied.effects.some((effect) => effect.kind === 'advance_queue'))
      void this.#dispatcher.wake(applied.after.hostId);
  }

  #acknowledge(hostId: string, actionId: string): void {
    // A host that is gone says it again at its next Hello and is acknowledged then.
    this.#gateway.send(hostId, { $case: 'resultAck', value: { actionIds: [actionId] } });
  }

  #keepForLater(session: Speaker, result: ActionResult): void {
    const { hostId } = session;
    const key = `${hostId} ${text(result.actionId)}`;
    if (this.#waiting.size >= WAITING_LIMIT && !this.#waiting.has(key)) {
      this.#gateway.send(hostId, { $case: 'reconnect', value: { afterMs: COME_BACK_MS, reason: 'overload' } });
      return;
    }
    this.#waiting.set(key, { session, result });
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#stopped || this.#retry !== undefined) return;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      void this.#retryAll();
    }, RETRY_MS);
  }

  async #retryAll(): Promise<void> {
    await Promise.all([...this.#waiting].map(([key, { session, result }]) => this.#retryOne(key, session, result)));
    if (this.#waiting.size > 0) this.#retryLater();
  }

  async #retryOne(key: string, session: Speaker, result: ActionResult): Promise<void> {
    try {
      await this.#store(session, result);
    } catch (error) {
      if (isUnavailable(error)) return;
      this.#logger.error({
        message: 'a result could not be stored; the host says it again at its next connection',
        hostId: session.hostId,
        err: error,
      });
    }
    if (this.#waiting.get(key)?.result === result) this.#waiting.delete(key);
  }
}
