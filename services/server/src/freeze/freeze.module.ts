import { Global, Module } from '@nestjs/common';
import { FREEZE_READER } from '../http/freeze-reader.ts';
import { FreezeController } from './freeze.controller.ts';
import { FreezeService } from './freeze.service.ts';

/** Global: every answer shows the freeze. */
@Global()
@Module({
  controllers: [FreezeController],
  providers: [FreezeService, { provide: FREEZE_READER, useExisting: FreezeService }],
  exports: [FreezeService, FREEZE_READER],
})
export class FreezeModule {}
