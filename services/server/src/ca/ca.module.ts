import { join } from 'node:path';
import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { CertificateAuthority } from './certificate-authority.ts';

/** The fleet's certificate authority, opened or made at start. */
@Global()
@Module({
  providers: [
    {
      provide: CertificateAuthority,
      inject: [SERVER_CONFIG],
      useFactory: (config: ServerConfig) =>
        CertificateAuthority.open(join(config.stateDir, 'ca'), config.keyPassphrase),
    },
  ],
  exports: [CertificateAuthority],
})
export class CaModule {}
