import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.ts';
import { livingReplicas } from '../presence/replica.queries.ts';
import { Bus } from './bus.ts';

const LOOK_MS = 10_000;

/** Says when another server's wake-ups go over something else: the two never wake each other, and everything between them waits for sweeps. */
@Injectable()
export class BusWatch implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #log = new Logger('Bus');
  readonly #bus: Bus;
  readonly #database: DatabaseService;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #strangers = '';

  constructor(@Inject(Bus) bus: Bus, @Inject(DatabaseService) database: DatabaseService) {
    this.#bus = bus;
    this.#database = database;
  }

  /** What keeps wake-ups from going both ways; undefined: nothing. */
  get problem(): string | undefined {
    return this.#bus.problem ?? (this.#strangers === '' ? undefined : `not all servers use ${this.#bus.kind}`);
  }

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => void (this.#looking = this.#looking.then(() => this.look())), LOOK_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Never rejects: a database that is away is told elsewhere. */
  async look(): Promise<void> {
    const replicas = await livingReplicas(this.#database).catch(() => undefined);
    if (replicas === undefined) return;
    const strangers = replicas
      .filter(({ bus }) => bus !== '' && bus !== this.#bus.kind)
      .map(({ name, bus }) => `${name} (${bus})`)
      .join(', ');
    if (strangers !== '' && strangers !== this.#strangers)
      this.#log.error(
        `wake-ups of this server go over ${this.#bus.kind}, and of ${strangers} not: give every server the same MODFLEET_BUS_URL. Until then sweeps do the work`,
      );
    this.#strangers = strangers;
  }
}
