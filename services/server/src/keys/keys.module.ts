import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { ServerKeys } from './server-keys.ts';

/** The keys that are kept outside the database, opened or made at start. */
@Global()
@Module({
  providers: [
    {
      provide: ServerKeys,
      inject: [SERVER_CONFIG],
      useFactory: (config: ServerConfig) => ServerKeys.open(join(config.stateDir, 'keys'), config.keyPassphrase),
    },
  ],
  exports: [ServerKeys],
})
export class KeysModule {}
