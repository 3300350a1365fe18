import { randomBytes, randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import {
  ActionPhase,
  Outcome,
  requestDigest,
  type ActionRequest,
  type ActionResult,
  type Hello,
  type HostHealth,
  type KmodAnswer,
} from '@modfleet/proto';
import type { AgentGateway, GatewayConnection, ServerMessage } from '../../agent-session/agent-gateway.ts';
import type { Sql } from '../../database/database.service.ts';
import { openSession } from '../../testing/open-session.ts';

type MessageKind = ServerMessage['$case'];
type ValueOf<K extends MessageKind> = Extract<ServerMessage, { $case: K }>['value'];

const HELLO: Hello = {
  facts: undefined,
  facets: [],
  unacknowledgedResults: [],
  openActions: [],
  tombstonesDigest: Buffer.alloc(0),
  trust: undefined,
  boottimeMs: 1,
  newestCommand: undefined,
};

/** How a session is. */
export interface ConnectOptions {
  /** It takes no message. */
  readonly outboxFull?: boolean;
  /** What its Hello says. */
  readonly newestCommand?: ActionRequest | undefined;
}

/** A host without an agent process: says and hears what a host would, at the port between sessions and features. */
export class FakeHost {
  readonly id = randomUUID();
  readonly name: string;
  readonly heard: ServerMessage[] = [];
  readonly #emitter = new EventEmitter();
  #gateway: AgentGateway | undefined;
  #connection: GatewayConnection | undefined;

  private constructor(name: string) {
    this.name = name;
  }

  static async enroll(sql: Sql, name: string): Promise<FakeHost> {
    const host = new FakeHost(name);
    await sql.query('INSERT INTO host (id, name, mode, key_fingerprint) VALUES ($1, $2, $3, $4)', [
      host.id,
      name,
      'act',
      randomBytes(32),
    ]);
    return host;
  }

  /** Opens a session on a replica. `outboxFull` refuses to take messages. */
  async connect(gateway: AgentGateway, sql: Sql, replicaId: string, options: ConnectOptions = {}): Promise<void> {
    const sessionNo = await openSession(sql, { hostId: this.id, replicaId, bootId: 'boot', address: '127.0.0.1' });
    await this.attach(gateway, sessionNo, options);
  }

  /** Attaches a session without its row. */
  async attach(gateway: AgentGateway, sessionNo: number, options: ConnectOptions = {}): Promise<void> {
    const send = (message: ServerMessage): boolean => {
      if (options.outboxFull === true) return false;
      this.heard.push(message);
      this.#emitter.emit('heard');
      return true;
    };
    this.#gateway = gateway;
    this.#connection = { hostId: this.id, sessionNo, quarantined: false, send };
    gateway.attach(this.#connection);
    await gateway.dispatch('onConnected', this.#connection, { ...HELLO, newestCommand: options.newestCommand });
  }

  /** Ends its session, if it has one. */
  async disconnect(sql: Sql): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#connection = undefined;
    this.#gateway?.detach(connection);
    await sql.query('UPDATE host_session SET disconnected_at = now() WHERE host_id = $1', [this.id]);
    await this.#gateway?.dispatch('onDisconnected', connection);
  }

  /** Takes the next message of a kind out of what was heard, waiting for it if need be. */
  async next<K extends MessageKind>(kind: K, timeoutMs = 10_000): Promise<ValueOf<K>> {
    const signal = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const index = this.heard.findIndex((message) => message.$case === kind);
      const [message] = index < 0 ? [] : this.heard.splice(index, 1);
      if (message !== undefined) return message.value as ValueOf<K>;
      await once(this.#emitter, 'heard', { signal });
    }
  }

  async says(phase: ActionPhase, actionId: string): Promise<void> {
    await this.#gateway?.dispatch('onActionProgress', this.#connected(), {
      actionId,
      phase,
      verdict: undefined,
      confirmDeadlineMs: 0,
    });
  }

  async reports(result: ActionResult): Promise<void> {
    await this.#gateway?.dispatch('onActionResult', this.#connected(), result);
  }

  /** A report that left over the present session, and is heard when the returned function is called. */
  lateReport(result: ActionResult): () => Promise<void> {
    const connection = this.#connected();
    return async () => this.#gateway?.dispatch('onActionResult', connection, result);
  }

  async answers(queryId: string, kmods: KmodAnswer[], error = '', health?: HostHealth): Promise<void> {
    await this.#gateway?.dispatch('onQueryAnswer', this.#connected(), {
      queryId,
      kmods,
      error,
      health,
    });
  }

  #connected(): GatewayConnection {
    if (this.#connection === undefined) throw new Error(`${this.name} is not connected`);
    return this.#connection;
  }
}

/** What a host would report of a request. */
export function resultOf(request: ActionRequest, outcome: Outcome, change: Partial<ActionResult> = {}): ActionResult {
  return {
    actionId: request.actionId,
    requestDigest: Buffer.from(requestDigest(request)),
    outcome,
    dryRun: request.dryRun,
    verdict: undefined,
    steps: [],
    message: '',
    reasonCode: '',
    loadedAfter: undefined,
    taintBefore: undefined,
    taintAfter: undefined,
    kernelLog: [],
    reloadPaths: [],
    startedAtMs: 0,
    finishedAtMs: 0,
    confirm: undefined,
    undo: [],
    healthBefore: undefined,
    ...change,
  };
}
