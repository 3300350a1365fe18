import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { z } from 'zod';
import { databaseTime } from '../database/clock.queries.ts';
import { DatabaseService } from '../database/database.service.ts';
import type { readinessSchema } from './health.schema.ts';

type Readiness = z.output<typeof readinessSchema>;

/** Whether this replica should get traffic. */
@Injectable()
export class HealthService implements OnModuleDestroy {
  readonly #database: DatabaseService;
  #stopping = false;

  constructor(@Inject(DatabaseService) database: DatabaseService) {
    this.#database = database;
  }

  /** Not ready from now on: a balancer takes this replica out before its listeners close. */
  onModuleDestroy(): void {
    this.#stopping = true;
  }

  async readiness(): Promise<Readiness> {
    const checks = [
      { name: 'running', ok: !this.#stopping, detail: this.#stopping ? 'stopping' : 'running' },
      await this.#databaseCheck(),
    ];
    return { status: checks.every((check) => check.ok) ? 'ready' : 'not_ready', checks };
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
