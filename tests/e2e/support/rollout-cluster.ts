import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type OutcomeWord, outcomeWord, Verb } from '@modfleet/proto';
import { makeJoinStrings } from '../../../bench/swarm/join-strings.ts';
import { connectApi } from '../../../scripts/lib/api.ts';
import { type ApiReply, type ClusterServer, TestCluster } from './cluster.ts';
import type { BadLine } from './bad-line/bad-line.ts';
import { LossyProxy } from './lossy-proxy.ts';
import type { ActionSeen, RolloutSeen, TargetSeen } from './rollout-judge.ts';
import { HOSTS_SEED, RolloutHosts } from './rollout-hosts.ts';
import { eventually } from './wait.ts';

export const KMOD = 'tun';
/** Where the hosts find the servers: a proxy that passes on to the balancer. */
const DOOR = '127.0.0.9';
const ALL = { selector: 'swarm=true' };

/** What is asked of a rollout, beside its plan. */
export interface RolloutAsked {
  readonly waves: readonly string[];
  readonly concurrency: number;
  readonly mayFail: number;
  /** The same of exit routines that do not return; absent: none may. */
  readonly mayHang?: number;
  readonly onBudget: 'pause' | 'abort' | 'roll_back';
  readonly deadline: number;
  readonly bake?: number;
}

export type ControlWord = 'pause' | 'resume' | 'abort' | 'roll-back';

export interface RolloutRow {
  readonly id: string;
  readonly state: string;
  readonly version: number;
  readonly lease_owner: string | null;
  readonly lease_term: number;
  readonly wave: number;
  readonly deadline: Date;
  /** It is over, and was neither aborted nor rolled back. */
  readonly went_on: boolean;
}

interface Shown {
  readonly state: string;
  readonly counts: { readonly ended: Record<string, number> };
  readonly waves: readonly { readonly counts: { readonly ended: Record<string, number> } }[];
}

/** Two servers on one PostgreSQL, hosts with simulated kernels, and rollouts over all of them. */
export class RolloutCluster {
  readonly cluster: TestCluster;
  readonly hosts: RolloutHosts;
  readonly #proxies: readonly LossyProxy[];

  private constructor(cluster: TestCluster, hosts: RolloutHosts, proxies: readonly LossyProxy[]) {
    this.cluster = cluster;
    this.hosts = hosts;
    this.#proxies = proxies;
  }

  static async start(count: number, settings: NodeJS.ProcessEnv = {}): Promise<RolloutCluster> {
    const cluster = await TestCluster.start(2, settings);
    const { sessionPort, identityPort } = cluster;
    const hosts = new RolloutHosts(count, (number) => `127.88.0.${number + 1}`);
    const listen = (port: number): Promise<LossyProxy> => LossyProxy.listen(DOOR, { host: '127.0.0.1', port });
    const all = new RolloutCluster(cluster, hosts, [await listen(sessionPort), await listen(identityPort)]);
    await all.#join(() => DOOR);
    return all;
  }

  /** The servers stand at the other end of the line, and each host connects straight to one of them. The line stays the caller's. */
  static async across(line: BadLine, count: number, settings: NodeJS.ProcessEnv = {}): Promise<RolloutCluster> {
    const cluster = await TestCluster.start(2, settings, line.thereForServers());
    const hosts = new RolloutHosts(count, (number) => line.hostAddress(number));
    const all = new RolloutCluster(cluster, hosts, []);
    await all.#join((number) => line.serverAddress(number % cluster.servers.length));
    return all;
  }

  async #join(doorOf: (number: number) => string): Promise<void> {
    try {
      await this.#joinAll(doorOf);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #joinAll(doorOf: (number: number) => string): Promise<void> {
    const { servers, token, identityPort } = this.cluster;
    const [first] = servers;
    if (first === undefined) throw new Error('no server runs');
    const joinStrings = await makeJoinStrings(connectApi(first.http, token), this.hosts.hosts.length, HOSTS_SEED);
    await this.hosts.join((number) => ({ host: doorOf(number), identityPort }), joinStrings);
    await this.connected();
  }

  /** The hosts' way to the session listeners: it can lose what the servers say. */
  get line(): LossyProxy {
    const [line] = this.#proxies;
    if (line === undefined) throw new Error('these hosts connect straight to the servers');
    return line;
  }

  async stop(): Promise<void> {
    await this.hosts.stop();
    for (const proxy of this.#proxies) proxy.close();
    await this.cluster.stop();
  }

  names(): string[] {
    return this.hosts.hosts.map(({ plan }) => plan.name);
  }

  /** Every host has a live session of a server that runs. */
  async connected(): Promise<void> {
    await eventually('all hosts are connected', async () => {
      const held = await this.cluster.held();
      return held.reduce((sum, each) => sum + each, 0) === this.hosts.hosts.length || undefined;
    });
  }

  /** As a careful client: the next server when one does not answer, under the same key. */
  async ask(method: string, path: string, body?: unknown): Promise<ApiReply> {
    const key = randomUUID();
    const { servers } = this.cluster;
    let last = '';
    for (let attempt = 0; attempt < 600; attempt += 1) {
      const server = servers[attempt % servers.length];
      if (server === undefined) break;
      const reply = await this.cluster.api(server, method, path, body, key).catch((error: unknown) => {
        last = String(error);
        return undefined;
      });
      // 503: PostgreSQL is away; idempotency_in_flight: the first one is still at it.
      if (reply !== undefined && reply.status !== 503 && reply.body['code'] !== 'idempotency_in_flight') return reply;
      if (reply !== undefined) last = `${reply.status} ${JSON.stringify(reply.body)}`;
      await delay(100);
    }
    throw new Error(`nobody answers ${method} ${path}: ${last}`);
  }

  /** A plan of the verb over all hosts, answered by all of them. */
  async planned(verb: 'load' | 'unload'): Promise<string> {
    const made = await this.ask('POST', '/api/v1/rollout-plans', { verb, kmod: KMOD, ...ALL });
    const id = String(taken(made, 202).body['id']);
    await eventually('the plan is ready', async () => {
      const { body } = await this.ask('GET', `/api/v1/rollout-plans/${id}`);
      return body['state'] === 'ready' || undefined;
    });
    return id;
  }

  async create(plan: string, { mayFail, mayHang = 0, ...options }: RolloutAsked): Promise<string> {
    const budget = { whole: { failed: mayFail, stuck: mayHang } };
    // A plan is a dry run on every host, and none of what the rollout sends.
    this.hosts.arrivals = 0;
    const made = await this.ask('POST', '/api/v1/rollouts', { plan, bake: 0, budget, ...options });
    return String(taken(made, 201).body['id']);
  }

  async control(id: string, what: ControlWord): Promise<ApiReply> {
    return taken(await this.ask('POST', `/api/v1/rollouts/${id}/${what}`, {}), 202);
  }

  async row(id: string): Promise<RolloutRow> {
    const [row] = await this.cluster.rows<RolloutRow>(
      `SELECT id, state, version::int, lease_owner, lease_term::int, wave, deadline,
              state IN ('succeeded', 'failed') AND NOT memory ? 'undoUntil' AS went_on FROM rollout WHERE id = $1`,
      [id],
    );
    if (row === undefined) throw new Error(`no rollout ${id}`);
    return row;
  }

  /** The server that holds its lease, or held it last. */
  async watcherOf(id: string): Promise<ClusterServer> {
    return eventually('somebody watches the rollout', async () => {
      const { lease_owner: owner } = await this.row(id);
      return this.cluster.servers.find(({ replica }) => replica === owner);
    });
  }

  async ended(id: string, limitMs = 150_000): Promise<string> {
    return eventually(
      `the rollout ${id} ends`,
      async () => {
        const { state } = await this.row(id);
        return ['succeeded', 'failed', 'aborted', 'rolled_back'].includes(state) ? state : undefined;
      },
      limitMs,
    );
  }

  actions(id: string): Promise<ActionSeen[]> {
    return actionsOf((sql, params) => this.cluster.rows(sql, params), id);
  }

  /** All that can be seen of it at its end. */
  async seen(id: string, verb: 'load' | 'unload', asked: RolloutAsked, settled = false): Promise<RolloutSeen> {
    const shown = (await this.ask('GET', `/api/v1/rollouts/${id}`)).body as unknown as Shown;
    const row = await this.row(id);
    const [resumed] = await this.cluster.rows<{ asked_at: Date }>(
      `SELECT min(asked_at) AS asked_at FROM rollout_control WHERE rollout_id = $1 AND kind = 'resume' HAVING count(*) > 0`,
      [id],
    );
    return {
      verb,
      hosts: this.names(),
      concurrency: asked.concurrency,
      deadline: row.deadline.getTime(),
      wentOn: row.went_on,
      mayFail: asked.mayFail,
      mayHang: asked.mayHang ?? 0,
      settled,
      resumedAt: resumed?.asked_at.getTime() ?? null,
      targets: await targetsOf((sql, params) => this.cluster.rows(sql, params), id),
      actions: await this.actions(id),
      ran: [...this.hosts.ran],
      counted: shown.counts.ended,
      countedInWaves: summed(shown.waves.map(({ counts }) => counts.ended)),
      listed: await this.#listed(id),
    };
  }

  async #listed(id: string): Promise<Record<string, number>> {
    const { body } = await this.ask('GET', `/api/v1/rollouts/${id}/targets?limit=500`);
    const counts: Record<string, number> = {};
    for (const { outcome, resolvedOutcome } of body['items'] as { outcome: string; resolvedOutcome: string | null }[])
      counts[resolvedOutcome ?? outcome] = (counts[resolvedOutcome ?? outcome] ?? 0) + 1;
    return counts;
  }
}

export type Rows = <T>(sql: string, params: readonly unknown[]) => Promise<T[]>;

export async function actionsOf(rows: Rows, rolloutId: string): Promise<ActionSeen[]> {
  const found = await rows<{
    id: string;
    host: string;
    verb: number;
    state: string;
    outcome: number | null;
    resolved: number | null;
    dispatched_at: Date | null;
    ended_at: Date | null;
    expires_at: Date;
  }>(
    `SELECT a.id, h.name AS host, a.verb, a.state, a.outcome, a.resolved_outcome AS resolved, a.dispatched_at, a.ended_at, a.expires_at
       FROM action a JOIN host h ON h.id = a.host_id WHERE a.rollout_id = $1`,
    [rolloutId],
  );
  return found.map((row) => ({
    id: row.id,
    host: row.host,
    role: row.verb === Number(Verb.VERB_RESTORE) ? 'undo' : 'forward',
    state: row.state,
    outcome: wordOf(row.outcome),
    resolved: wordOf(row.resolved),
    dispatchedAt: row.dispatched_at?.getTime() ?? null,
    endedAt: row.ended_at?.getTime() ?? null,
    expiresAt: row.expires_at.getTime(),
  }));
}

/** What was reported late stands in the place of what it resolved, also after the end of the rollout, when it is in the action's row alone. */
export async function targetsOf(rows: Rows, rolloutId: string): Promise<TargetSeen[]> {
  const found = await rows<Omit<TargetSeen, 'endedAt'> & { readonly ended: Date | null; readonly late: number | null }>(
    `SELECT h.name AS host, t.state, coalesce(t.resolved_outcome, t.outcome) AS outcome, t.code, t.ended_at AS ended, t.attempts, t.action_id AS "actionId",
            t.undo_attempts AS "undoAttempts", t.undo_action_id AS "undoActionId",
            CASE WHEN t.outcome IN ('unconfirmed', 'stuck') AND t.resolved_outcome IS NULL THEN a.resolved_outcome END AS late
       FROM rollout_target t JOIN host h ON h.id = t.host_id LEFT JOIN action a ON a.id = t.action_id
      WHERE t.rollout_id = $1 ORDER BY t.position`,
    [rolloutId],
  );
  return found.map(({ late, ended, ...row }) => ({
    ...row,
    endedAt: ended?.getTime() ?? null,
    outcome: wordOf(late) ?? row.outcome,
  }));
}

function wordOf(outcome: number | null): OutcomeWord | null {
  return outcome === null ? null : (outcomeWord(outcome) ?? null);
}

function summed(all: readonly Record<string, number>[]): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const counts of all) for (const [word, count] of Object.entries(counts)) sum[word] = (sum[word] ?? 0) + count;
  return sum;
}

function taken(reply: ApiReply, status: number): ApiReply {
  if (reply.status !== status) throw new Error(`not ${status}: ${reply.status} ${JSON.stringify(reply.body)}`);
  return reply;
}
