import { Module } from '@nestjs/common';
import { HostAccessController } from './host-access.controller.ts';
import { HostAccessService } from './host-access.service.ts';
import { HostChangesService } from './host-changes.service.ts';
import { HostInventoryService } from './host-inventory.service.ts';
import { HostMetrics } from './host-metrics.service.ts';
import { HostsController } from './hosts.controller.ts';
import { HostsService } from './hosts.service.ts';

@Module({
  controllers: [HostsController, HostAccessController],
  providers: [HostsService, HostInventoryService, HostChangesService, HostAccessService, HostMetrics],
})
export class HostsModule {}
