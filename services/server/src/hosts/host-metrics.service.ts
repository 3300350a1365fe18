import { Inject, Injectable, Logger } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { countStandings } from './host-standing.queries.ts';

/** Hosts renew when a third of their certificate's life is left, give or take; whoever has less than a quarter has failed to for hours. */
const ENDING_SHARE = 0.25;

/** The fleet's standing, read from the database at each scrape; every replica says the same. */
@Injectable()
export class HostMetrics {
  readonly #log = new Logger('Metrics');

  constructor(
    @Inject(Metrics) metrics: Metrics,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SERVER_CONFIG) config: Pick<ServerConfig, 'hostCertHours'>,
  ) {
    const endingWithinS = config.hostCertHours * 3_600 * ENDING_SHARE;
    metrics.gauge(
      'modfleet_hosts_standing',
      'Hosts by what somebody should look at: quarantined, revoked, certificate_ending (connected, with less than a quarter of its life left), certificate_ended.',
      ['standing'],
      async (gauge) => {
        try {
          const counts = await countStandings(database, endingWithinS);
          gauge.set({ standing: 'quarantined' }, counts.quarantined);
          gauge.set({ standing: 'revoked' }, counts.revoked);
          gauge.set({ standing: 'certificate_ending' }, counts.ending);
          gauge.set({ standing: 'certificate_ended' }, counts.ended);
        } catch (error) {
          // No figure rather than one of before; the other metrics are told all the same.
          gauge.reset();
          this.#log.warn(`hosts could not be counted: ${(error as Error).message}`);
        }
      },
    );
  }
}
