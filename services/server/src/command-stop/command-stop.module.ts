import { Global, Module } from '@nestjs/common';
import { ALARM_READER } from '../http/alarm-reader.ts';
import { SigningModule } from '../signing/signing.module.ts';
import { CommandStopService } from './command-stop.service.ts';
import { RestoreWatch } from './restore-watch.service.ts';

/** Global: every answer shows the alarm. */
@Global()
@Module({
  imports: [SigningModule],
  providers: [CommandStopService, RestoreWatch, { provide: ALARM_READER, useExisting: CommandStopService }],
  exports: [CommandStopService, ALARM_READER],
})
export class CommandStopModule {}
