/**
 * The bus over NATS: one connection a replica, two subjects: its own and everybody's. Plain publish and subscribe: what nobody hears is gone, as with
 * NOTIFY.
 *
 * INVARIANTS
 * - A broken connection is made anew until the end, with jitter; after each new one `onResumed` is called, because messages sent meanwhile are lost.
 * - What is published resolves when the NATS server has it, or fails: nothing waits in this process for a connection to come.
 * - A NATS server that is away keeps no modfleet server from starting.
 */
import { Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { NatsConfig } from '../config/bus-config.ts';
import { BusUnavailableError } from './bus.errors.ts';
import { Bus, type BusHandler, replicaChannel } from './bus.ts';
import { encodeMessage, replicaOf } from './bus-message.ts';
import { Delivery } from './delivery.ts';
import { natsProblem, openNats } from './nats-connection.ts';

const EVERYBODY = 'modfleet.all';
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
/** A NATS server that is there answers within milliseconds. */
const ANSWER_LIMIT_MS = 2_000;

export class NatsBus extends Bus implements OnApplicationBootstrap, OnApplicationShutdown {
  override readonly kind = 'nats';
  readonly #log = new Logger('Bus');
  readonly #config: NatsConfig;
  readonly #subjects: readonly string[];
  readonly #delivery: Delivery;
  #connection: NatsConnection | undefined;
  #problem: string | undefined = 'not connected to NATS yet';
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;
  #connectedOnce = false;
  #stopped = false;

  constructor(config: NatsConfig, replicaId: string) {
    super();
    this.#config = config;
    this.#subjects = [EVERYBODY, subjectOf(replicaChannel(replicaId))];
    this.#delivery = new Delivery(replicaId);
  }

  override get problem(): string | undefined {
    return this.#problem;
  }

  override async publish(channel: string, payload: string): Promise<void> {
    const text = encodeMessage(channel, payload);
    const connection = this.#connection;
    if (connection === undefined) throw new BusUnavailableError(`not handed over: ${this.#problem ?? 'stopped'}`);
    await publishTo(connection, channel, text);
  }

  override subscribe(channel: string, handler: BusHandler): () => void {
    return this.#delivery.add(channel, handler);
  }

  override onResumed(handler: () => void): () => void {
    return this.#delivery.onResumed(handler);
  }

  /** Resolves when it listens, or when the first attempt failed and the next is planned. */
  onApplicationBootstrap(): Promise<void> {
    return this.#open();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    await connection?.close();
  }

  async #open(): Promise<void> {
    let connection: NatsConnection | undefined;
    // What the server says of a subscription that it takes away: without it the connection is worth nothing.
    let refusal: Error | undefined;
    try {
      connection = await openNats(this.#config, 'modfleet-server');
      const opened = connection;
      const callback = (error: Error | null, message: Msg): void => {
        if (error === null) return this.#delivery.receive(message.string());
        refusal = error;
        opened.close().catch(() => undefined);
      };
      for (const subject of this.#subjects) connection.subscribe(subject, { callback });
      await answers(connection);
    } catch (error) {
      await connection?.close().catch(() => undefined);
      return this.#lost(refusal ?? error);
    }
    if (this.#stopped) return connection.close();
    this.#connection = connection;
    this.#problem = undefined;
    this.#failures = 0;
    if (this.#connectedOnce) this.#delivery.resumed();
    this.#connectedOnce = true;
    this.#log.log(`wake-ups go over NATS (${connection.getServer()})`);
    // Whatever ends it, and also when it has ended by now.
    void connection.closed().then((error) => this.#ended(connection, refusal ?? error));
  }

  #ended(connection: NatsConnection, error: unknown): void {
    if (this.#connection === connection) this.#connection = undefined;
    this.#lost(error);
  }

  #lost(error: unknown): void {
    if (this.#stopped) return;
    const problem = natsProblem(error, this.#config);
    // Said once for each reason: a fleet that is without its bus for a day has other things to read.
    if (problem !== this.#problem)
      this.#log.warn(`no wake-ups: ${problem}. Trying again; sweeps do the work meanwhile`);
    this.#problem = problem;
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#open(), ceiling * (0.5 + Math.random() / 2));
  }
}

/** Publishes to replicas that listen on NATS, from a process that has no bus. @throws BusUnavailableError */
export async function natsOnce(config: NatsConfig, channel: string, payload: string): Promise<void> {
  const text = encodeMessage(channel, payload);
  let connection: NatsConnection;
  try {
    connection = await openNats(config, 'modfleet-server command');
  } catch (error) {
    throw new BusUnavailableError(natsProblem(error, config), { cause: error });
  }
  try {
    await publishTo(connection, channel, text);
  } finally {
    await connection.close();
  }
}

async function publishTo(connection: NatsConnection, channel: string, text: string): Promise<void> {
  try {
    connection.publish(subjectOf(channel), text);
    await answers(connection);
  } catch (error) {
    throw new BusUnavailableError(`not handed over to NATS: ${(error as Error).message}`, { cause: error });
  }
}

/** Resolves when the NATS server has all that it was sent; rejects when it does not say so in time. */
async function answers(connection: NatsConnection): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)), ANSWER_LIMIT_MS);
  });
  try {
    await Promise.race([connection.flush(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function subjectOf(channel: string): string {
  const replica = replicaOf(channel);
  return replica === undefined ? EVERYBODY : `modfleet.replica.${replica}`;
}
