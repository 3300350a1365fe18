import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { ServerKeys } from '../keys/server-keys.ts';
import { Metrics } from '../metrics/metrics.service.ts';
import { ReplicaService } from '../presence/replica.service.ts';
import { AuditAlarms } from './audit-alarms.ts';
import { AuditService } from './audit.service.ts';
import { AuditWatch } from './audit-watch.service.ts';
import { SealExport } from './seal-export.ts';
import { SealFile } from './seal-file.ts';
import { SealSigner } from './seal-key.ts';
import { Sealer } from './sealer.ts';

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
    { provide: AuditAlarms, inject: [Metrics], useFactory: (metrics: Metrics) => new AuditAlarms(metrics) },
    {
      provide: SealSigner,
      inject: [ServerKeys],
      useFactory: (keys: ServerKeys) => new SealSigner(keys.sealKey('audit-seal')),
    },
    {
      provide: AuditWatch,
      inject: [DatabaseService, ReplicaService, AuditService, AuditAlarms, SealSigner, Metrics, SERVER_CONFIG],
      useFactory: (
        database: DatabaseService,
        clock: ReplicaService,
        audit: AuditService,
        alarms: AuditAlarms,
        signer: SealSigner,
        metrics: Metrics,
        { auditSealsFile: sealsFile }: Pick<ServerConfig, 'auditSealsFile'>,
      ) => {
        const sealer = new Sealer(database, clock.id, signer);
        const seals = new SealExport(database, new SealFile(sealsFile), alarms, clock.id);
        return new AuditWatch({
          database,
          clock,
          audit,
          sealer,
          seals,
          alarms,
          metrics,
          verifier: signer.verifier,
          sealsFile,
        });
      },
    },
  ],
  exports: [AuditService, AuditAlarms, AuditWatch, SealSigner],
})
export class AuditModule {}
