import { Module } from '@nestjs/common';
import { SetsModule } from '../sets/sets.module.ts';
import { HistoryController } from './history.controller.ts';
import { HostPastService } from './host-past.service.ts';
import { KmodPastService } from './kmod-past.service.ts';

/** What was loaded at some time in the past. */
@Module({ imports: [SetsModule], controllers: [HistoryController], providers: [HostPastService, KmodPastService] })
export class HistoryModule {}
