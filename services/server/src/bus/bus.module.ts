import { randomUUID } from 'node:crypto';
import { Global, Module } from '@nestjs/common';
import { REPLICA_ID } from '../presence/replica-id.ts';
import { Bus } from './bus.ts';
import { PostgresBus } from './postgres-bus.service.ts';

/** Wake-ups between replicas, and the id by which they know this one. */
@Global()
@Module({
  providers: [{ provide: REPLICA_ID, useFactory: randomUUID }, PostgresBus, { provide: Bus, useExisting: PostgresBus }],
  exports: [Bus, REPLICA_ID],
})
export class BusModule {}
