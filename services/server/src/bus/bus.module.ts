import { randomUUID } from 'node:crypto';
import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { Bus } from './bus.ts';
import { BusWatch } from './bus-watch.service.ts';
import { NatsBus } from './nats-bus.ts';
import { PostgresBus } from './postgres-bus.ts';

/** The driver that the settings name. */
export function createBus(
  config: Pick<ServerConfig, 'bus' | 'databaseDirectUrl'>,
  database: DatabaseService,
  replicaId: string,
): NatsBus | PostgresBus {
  return config.bus.kind === 'nats' ? new NatsBus(config.bus, replicaId) : new PostgresBus(config, database, replicaId);
}

/** Wake-ups between replicas, and the id by which they know this one. */
@Global()
@Module({
  providers: [
    { provide: REPLICA_ID, useFactory: randomUUID },
    BusWatch,
    {
      provide: Bus,
      inject: [SERVER_CONFIG, DatabaseService, REPLICA_ID, Metrics],
      useFactory: (config: ServerConfig, database: DatabaseService, replicaId: string, metrics: Metrics): Bus => {
        const bus = createBus(config, database, replicaId);
        metrics.gauge('modfleet_bus_up', 'Wake-ups between servers arrive here: 1, or 0.', ['driver'], (gauge) =>
          gauge.set({ driver: bus.kind }, bus.problem === undefined ? 1 : 0),
        );
        return bus;
      },
    },
  ],
  exports: [Bus, BusWatch, REPLICA_ID],
})
export class BusModule {}
