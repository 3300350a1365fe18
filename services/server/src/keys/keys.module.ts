import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { ServerKeys } from './server-keys.ts';

/** @throws KeyFileError */
export function openServerKeys(config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase'>): ServerKeys {
  return ServerKeys.open(join(config.stateDir, 'keys'), config.keyPassphrase);
}

/** The keys that are kept outside the database, opened or made at start. */
@Global()
@Module({
  providers: [
    {
      provide: ServerKeys,
      inject: [SERVER_CONFIG],
      useFactory: openServerKeys,
    },
  ],
  exports: [ServerKeys],
})
export class KeysModule {}
