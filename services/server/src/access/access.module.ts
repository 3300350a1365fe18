import { Global, Module } from '@nestjs/common';
import { AccessRepository } from './access.repository.ts';
import { AccessService } from './access.service.ts';
import { ApiTokenService } from './api-token.service.ts';
import { TwinNames } from './twin-names.service.ts';

/** Who may do what. Global: every change asks. */
@Global()
@Module({
  providers: [AccessRepository, AccessService, ApiTokenService, TwinNames],
  exports: [AccessRepository, AccessService, ApiTokenService],
})
export class AccessModule {}
