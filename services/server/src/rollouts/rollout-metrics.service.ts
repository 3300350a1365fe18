import { Inject, Injectable } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import type { Decision } from './engine/rollout.machine.ts';
import type { RolloutModel } from './engine/rollout.model.ts';

/** What this process did with rollouts; the fleet's sum is over its replicas. The gauges are of the database: the same on each. */
@Injectable()
export class RolloutMetrics {
  readonly #created;
  readonly #moved;
  readonly #targets;
  readonly #unhealthy;

  constructor(@Inject(Metrics) metrics: Metrics, @Inject(DatabaseService) database: DatabaseService) {
    this.#created = metrics.counter('modfleet_rollouts_created_total', 'Rollouts stored, by verb.', ['verb']);
    this.#moved = metrics.counter('modfleet_rollouts_moved_total', 'Changes of state of rollouts, by the new one.', [
      'state',
    ]);
    this.#targets = metrics.counter(
      'modfleet_rollout_targets_ended_total',
      'Hosts of rollouts that ended, by outcome.',
      ['outcome'],
    );
    this.#unhealthy = metrics.counter(
      'modfleet_rollout_targets_unhealthy_total',
      'Hosts of rollouts that were not as healthy after their wave as before.',
    );
    metrics.gauge('modfleet_rollouts_open', 'Rollouts that have not ended, by state.', ['state'], async (gauge) => {
      gauge.reset();
      const rows = await database.query<{ state: string; count: number }>(
        'SELECT state, count(*)::int AS count FROM rollout WHERE ended_at IS NULL GROUP BY state',
      );
      for (const { state, count } of rows) gauge.set({ state }, count);
    });
  }

  created(verb: string): void {
    this.#created.inc({ verb });
  }

  /** After the commit of a step. */
  decided(before: RolloutModel, { rollout, targets }: Decision): void {
    if (rollout.state !== before.rollout.state) this.#moved.inc({ state: rollout.state });
    for (const target of targets) {
      const was = before.targets.get(target.hostId);
      if (was?.outcome === null && target.outcome !== null) this.#targets.inc({ outcome: target.outcome });
      if (was?.health.length === 0 && target.health.length > 0) this.#unhealthy.inc();
    }
  }
}
