import { Module } from '@nestjs/common';
import { IngestModule } from '../ingest/ingest.module.ts';
import { SetsModule } from '../sets/sets.module.ts';
import { EventWatch } from './event-watch.service.ts';
import { EventsController } from './events.controller.ts';
import { EventsService } from './events.service.ts';

/** What came and went on hosts: listed, counted by host, and followed. */
@Module({
  imports: [IngestModule, SetsModule],
  controllers: [EventsController],
  providers: [EventsService, EventWatch],
})
export class EventsModule {}
