import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { z } from 'zod';
import { BusWatch } from '../bus/bus-watch.service.ts';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import { CaWatch } from '../ca/ca-watch.service.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { CommandStopService } from '../command-stop/command-stop.service.ts';
import type { readinessSchema } from './health.schema.ts';

type Readiness = z.output<typeof readinessSchema>;

/** Anybody may ask, so no host is named: the API's answers, the log and `modfleet-server epoch show` name it. */
const STOPPED = {
  database_behind:
    'no command is sent or accepted: the database is older than what a host has been asked; run "modfleet-server epoch show"',
  epoch_raise_unfinished:
    'no command is sent or accepted: an epoch raise has not ended; run "modfleet-server epoch raise" again',
} as const;

/** Whether this replica should get traffic. */
@Injectable()
export class HealthService implements OnModuleDestroy {
  readonly #database: DatabaseService;
  readonly #ca: CertificateAuthority;
  readonly #caWatch: CaWatch;
  #stopping = false;
  readonly #commands: CommandStopService;
  readonly #bus: BusWatch;

  constructor(
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(CommandStopService) commands: CommandStopService,
    @Inject(CertificateAuthority) ca: CertificateAuthority,
    @Inject(CaWatch) caWatch: CaWatch,
    @Inject(BusWatch) bus: BusWatch,
  ) {
    this.#database = database;
    this.#commands = commands;
    this.#ca = ca;
    this.#caWatch = caWatch;
    this.#bus = bus;
  }

  /** Not ready from now on: a balancer takes this replica out before its listeners close. */
  onModuleDestroy(): void {
    this.#stopping = true;
  }

  async readiness(): Promise<Readiness> {
    const checks = [
      { name: 'running', ok: !this.#stopping, detail: this.#stopping ? 'stopping' : 'running' },
      await this.#databaseCheck(),
      this.#caCheck(),
    ];
    const status = checks.every((check) => check.ok) ? 'ready' : 'not_ready';
    return { status, checks: [...checks, ...this.#busCheck(), ...(await this.#alarm())] };
  }

  /** Named, and no reason to take traffic away: all but commands goes on. */
  async #alarm(): Promise<Readiness['checks']> {
    const alarm = await this.#commands.current().catch(() => null);
    return alarm === null ? [] : [{ name: 'commands', ok: false, detail: STOPPED[alarm.code] }];
  }

  /** Named when it is away, and no reason to take traffic away: sweeps do what wake-ups would have. Anybody may ask, so only the log says where it is. */
  #busCheck(): Readiness['checks'] {
    if (this.#bus.problem === undefined) return [];
    const detail = 'wake-ups between servers do not arrive: actions do, some seconds later; the server log says why';
    return [{ name: 'bus', ok: false, detail }];
  }

  /** Always ok: what is wrong with the CA needs a person, and taking this replica out of a balancer mends nothing. */
  #caCheck(): Readiness['checks'][number] {
    const { phase, generation } = this.#ca.set;
    const problem = this.#caWatch.problem;
    const words =
      problem === undefined
        ? this.#caWatch.expiry().words
        : 'a change on the disk is not taken over; the server log says why';
    return { name: 'ca', ok: true, detail: `${phase}, generation ${generation}: ${words}` };
  }

  async #databaseCheck(): Promise<Readiness['checks'][number]> {
    try {
      await databaseTime(this.#database);
      return { name: 'database', ok: true, detail: 'answers' };
    } catch {
      return { name: 'database', ok: false, detail: 'does not answer; the server log says why' };
    }
  }
}
