import { Global, Module } from '@nestjs/common';
import { DatabaseService } from '../database/database.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import { AuditService } from './audit.service.ts';

/** Global: whatever decides, records. */
@Global()
@Module({
  providers: [
    {
      provide: AuditService,
      inject: [DatabaseService, ReplicaService, ServerKeys],
      useFactory: (database: DatabaseService, replica: ReplicaService, keys: ServerKeys) =>
        new AuditService(database, replica, keys.sealKey('audit')),
    },
  ],
  exports: [AuditService],
})
export class AuditModule {}
