import { Global, Module } from '@nestjs/common';
import { AccessRepository } from './access.repository.ts';
import { AccessService } from './access.service.ts';
import { AccountTokens } from './account-tokens.service.ts';
import { ApiTokenService } from './api-token.service.ts';
import { TwinNames } from './twin-names.service.ts';

/** Who may do what. Global: every change asks. */
@Global()
@Module({
  providers: [AccessRepository, AccessService, AccountTokens, ApiTokenService, TwinNames],
  exports: [AccessRepository, AccessService, AccountTokens, ApiTokenService],
})
export class AccessModule {}
