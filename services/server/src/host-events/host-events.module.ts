import { Module } from '@nestjs/common';
import { HostEventsController } from './host-events.controller.ts';
import { HostEventsService } from './host-events.service.ts';

/** What came and went on hosts. */
@Module({ controllers: [HostEventsController], providers: [HostEventsService] })
export class HostEventsModule {}
