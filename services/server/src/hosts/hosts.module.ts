import { Module } from '@nestjs/common';
import { HostChangesService } from './host-changes.service.ts';
import { HostInventoryService } from './host-inventory.service.ts';
import { HostsController } from './hosts.controller.ts';
import { HostsService } from './hosts.service.ts';

@Module({ controllers: [HostsController], providers: [HostsService, HostInventoryService, HostChangesService] })
export class HostsModule {}
