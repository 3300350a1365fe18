import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from './database.service.ts';
import { HostDatabase, hostsShare } from './host-database.service.ts';

/** The connections, for every feature: of each replica's, some are kept for hosts. */
@Global()
@Module({
  providers: [
    HostDatabase,
    {
      provide: DatabaseService,
      inject: [SERVER_CONFIG],
      useFactory: (config: ServerConfig) =>
        new DatabaseService({ ...config, dbPoolSize: Math.max(1, config.dbPoolSize - hostsShare(config.dbPoolSize)) }),
    },
  ],
  exports: [DatabaseService, HostDatabase],
})
export class DatabaseModule {}
