import { Global, Module } from '@nestjs/common';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { openAuthority } from './open-authority.ts';
import { CaWatch } from './ca-watch.service.ts';
import { CertificateAuthority } from './certificate-authority.ts';

/** The fleet's certificate authority, opened or made at start. */
@Global()
@Module({
  providers: [
    CaWatch,
    {
      provide: CertificateAuthority,
      inject: [SERVER_CONFIG],
      useFactory: (config: ServerConfig) => openAuthority(config),
    },
  ],
  exports: [CertificateAuthority, CaWatch],
})
export class CaModule {}
