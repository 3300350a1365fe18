/**
 * Gives replicas that hold fewer hosts their share: asks some of this one's to move, in slices (move-plan.ts decides how many).
 *
 * INVARIANTS
 * - No host is asked that has an action under way, an open confirm window among them: none goes out to it from the look to the word.
 * - None is asked twice within a while, and none that is quarantined.
 * - Those that have been here longest go first: who has just come is not sent on.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../../config/server-config.ts';
import { DatabaseService } from '../../database/database.service.ts';
import { Metrics } from '../../metrics/metrics.service.ts';
import { livingReplicas } from '../../presence/replica.queries.ts';
import { ReplicaService } from '../../presence/replica.service.ts';
import { AgentGateway } from '../agent-gateway.ts';
import { type HeldSession, SessionRegistry } from '../session-registry.service.ts';
import { busyHosts } from './move.queries.ts';
import { FIRST_MOVE_STATE, type MoveState, planMove, SLICE_MS, type SliceEnd } from './move-plan.ts';

/** A host is left where it is for so long after it was asked. */
const ASKED_AGAIN_MS = 600_000;
/** So often some of a slice are asked. */
const STEP_MS = 1_000;

@Injectable()
export class SessionMover implements OnApplicationBootstrap, OnModuleDestroy {
  readonly #log = new Logger('Sessions');
  readonly #database: DatabaseService;
  readonly #registry: SessionRegistry;
  readonly #gateway: AgentGateway;
  readonly #replica: ReplicaService;
  readonly #settings;
  readonly #moved;
  readonly #stop = new AbortController();
  /** When each host was asked, and the session that it had then. */
  readonly #asked = new Map<string, { readonly atMs: number; readonly sessionNo: number }>();
  /** Hosts of the slice before. */
  #slice: readonly string[] = [];
  #state: MoveState = FIRST_MOVE_STATE;
  #running: Promise<void> = Promise.resolve();
  #deciding: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SessionRegistry) registry: SessionRegistry,
    @Inject(AgentGateway) gateway: AgentGateway,
    @Inject(ReplicaService) replica: ReplicaService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'movePerSecond' | 'moveTolerancePercent'>,
    @Inject(Metrics) metrics: Metrics,
  ) {
    this.#database = database;
    this.#registry = registry;
    this.#gateway = gateway;
    this.#replica = replica;
    this.#settings = { perSecond: config.movePerSecond, tolerancePercent: config.moveTolerancePercent };
    this.#moved = metrics.counter('modfleet_sessions_moved_total', 'Hosts that were asked to move to another server.');
  }

  onApplicationBootstrap(): void {
    this.#replica.countSessionsBy(() => this.#registry.count);
    if (this.#settings.perSecond > 0) this.#running = this.#run();
  }

  async onModuleDestroy(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await delay(SLICE_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.decide();
        this.#failing = false;
      } catch (error) {
        if (!this.#failing) this.#log.warn(`which hosts should move could not be seen: ${(error as Error).message}`);
        this.#failing = true;
      }
    }
  }

  /** Decides on a slice, and asks it; one at a time. @throws DatabaseUnavailableError */
  decide(): Promise<void> {
    const decided = this.#deciding.then(() => this.#decide());
    this.#deciding = decided.catch(() => undefined);
    return decided;
  }

  async #decide(): Promise<void> {
    const nowMs = performance.now();
    for (const [hostId, { atMs }] of this.#asked) if (nowMs - atMs > ASKED_AGAIN_MS) this.#asked.delete(hostId);
    const others = (await livingReplicas(this.#database)).flatMap(({ id, sessions, upMs }) =>
      id === this.#replica.id || sessions === null ? [] : [{ sessions, upMs }],
    );
    const before = this.#sliceEnd();
    const { move, state } = planMove(this.#registry.count, others, this.#settings, before, this.#state, nowMs);
    if (state.fruitless > this.#state.fruitless)
      this.#log.warn(
        `${before.returned} of ${before.asked} hosts that were asked to move came back here: does the balancer keep clients on one server? (docs/operations.md, "Several servers")`,
      );
    this.#state = state;
    this.#slice = [];
    if (move >= 1) await this.#ask(Math.floor(move));
  }

  #sliceEnd(): SliceEnd {
    const here = new Map(this.#registry.all().map(({ hostId, sessionNo }) => [hostId, sessionNo]));
    const returned = this.#slice.filter((hostId) => {
      const now = here.get(hostId);
      return now !== undefined && now > (this.#asked.get(hostId)?.sessionNo ?? now);
    });
    return { asked: this.#slice.length, returned: returned.length };
  }

  async #ask(move: number): Promise<void> {
    const { signal } = this.#stop;
    const asked: string[] = [];
    for (let left = move; left > 0; left -= this.#settings.perSecond) {
      if (asked.length > 0) await delay(STEP_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      const some = await this.#askSome(Math.min(left, this.#settings.perSecond));
      asked.push(...some);
      if (some.length === 0) break;
    }
    this.#slice = asked;
    this.#log.log(
      `${asked.length} of ${this.#registry.count + asked.length} hosts were asked to move to other servers`,
    );
  }

  /** Twice as many are looked at: some may be busy. */
  async #askSome(count: number): Promise<string[]> {
    const candidates = this.#registry
      .all()
      .filter((session) => this.#mayBeAsked(session))
      .sort((a, b) => a.sessionNo - b.sessionNo)
      .slice(0, 2 * count);
    for (const session of candidates) session.holdBack(true);
    try {
      const busy = await busyHosts(
        this.#database,
        candidates.map(({ hostId }) => hostId),
      );
      const movable = candidates.filter(({ hostId }) => !busy.has(hostId)).slice(0, count);
      for (const session of movable) this.#move(session);
      return movable.map(({ hostId }) => hostId);
    } finally {
      for (const session of candidates) session.holdBack(false);
    }
  }

  /** One that has not been welcomed yet is none of the gateway's. */
  #mayBeAsked({ hostId, quarantined }: HeldSession): boolean {
    return !quarantined && !this.#asked.has(hostId) && this.#gateway.isConnectedHere(hostId);
  }

  #move(session: HeldSession): void {
    this.#asked.set(session.hostId, { atMs: performance.now(), sessionNo: session.sessionNo });
    this.#moved.inc();
    session.leave('move', 0);
  }
}
