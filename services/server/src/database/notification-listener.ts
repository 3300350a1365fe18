/**
 * One connection that LISTENs.
 *
 * INVARIANTS
 * - A broken connection is opened anew until `stop`, with jitter; after each new one `onResumed` is called, because notifications sent meanwhile
 *   are lost.
 * - A silent network death is noticed: every 10 s the connection must answer a query within 5 s.
 * - What happens on a connection that was given up touches nothing.
 */
import pg from 'pg';

const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5_000;
const PROBE_INTERVAL_MS = 10_000;
const PROBE_TIMEOUT_MS = 5_000;

export interface NotificationListenerOptions {
  /** A direct connection: a transaction pooler loses LISTEN. */
  readonly url: string;
  readonly channels: readonly string[];
  readonly onNotification: (payload: string) => void;
  readonly onResumed: () => void;
  readonly onLost: (error: Error | undefined) => void;
}

export class NotificationListener {
  readonly #options: NotificationListenerOptions;
  #client: pg.Client | undefined;
  #retry: NodeJS.Timeout | undefined;
  #probe: NodeJS.Timeout | undefined;
  #failures = 0;
  #stopped = false;
  #connectedOnce = false;
  #listens = false;

  constructor(options: NotificationListenerOptions) {
    this.#options = options;
  }

  /** Notifications arrive now. */
  get listens(): boolean {
    return this.#listens;
  }

  /** Resolves when it listens, or when the first attempt failed and the next is planned. */
  async start(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      connectionTimeoutMillis: PROBE_TIMEOUT_MS,
      query_timeout: PROBE_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'modfleet-bus',
    });
    client.on('notification', (message) => this.#options.onNotification(message.payload ?? ''));
    client.on('error', (error) => this.#lost(client, error));
    client.on('end', () => this.#lost(client, undefined));
    this.#client = client;
    try {
      await client.connect();
      for (const channel of this.#options.channels) await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch (error) {
      this.#lost(client, error as Error);
      return;
    }
    if (this.#client !== client) return;
    this.#failures = 0;
    this.#listens = true;
    const probe = (): void => void client.query('SELECT 1').catch((error: Error) => this.#lost(client, error));
    this.#probe = setInterval(probe, PROBE_INTERVAL_MS).unref();
    if (this.#connectedOnce) this.#options.onResumed();
    this.#connectedOnce = true;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#retry);
    clearInterval(this.#probe);
    const client = this.#client;
    this.#client = undefined;
    this.#listens = false;
    await client?.end().catch(() => undefined);
  }

  #lost(client: pg.Client, error: Error | undefined): void {
    if (this.#client !== client || this.#stopped) return;
    this.#client = undefined;
    this.#listens = false;
    clearInterval(this.#probe);
    if (this.#failures === 0) this.#options.onLost(error);
    const ceiling = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.#failures++);
    this.#retry = setTimeout(() => void this.start(), ceiling * (0.5 + Math.random() / 2));
    client.end().catch(() => undefined);
  }
}
