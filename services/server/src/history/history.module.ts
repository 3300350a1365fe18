import { Module } from '@nestjs/common';
import { HistoryController } from './history.controller.ts';
import { HostPastService } from './host-past.service.ts';
import { KmodPastService } from './kmod-past.service.ts';

/** What was loaded at some time in the past. */
@Module({ controllers: [HistoryController], providers: [HostPastService, KmodPastService] })
export class HistoryModule {}
