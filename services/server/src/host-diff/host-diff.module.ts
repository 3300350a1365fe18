import { Module } from '@nestjs/common';
import { HostDiffController } from './host-diff.controller.ts';
import { HostDiffService } from './host-diff.service.ts';

/** In what two hosts differ. */
@Module({ controllers: [HostDiffController], providers: [HostDiffService] })
export class HostDiffModule {}
