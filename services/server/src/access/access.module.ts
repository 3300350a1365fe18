import { Global, Module } from '@nestjs/common';
import { ApiTokenService } from './api-token.service.ts';

@Global()
@Module({ providers: [ApiTokenService], exports: [ApiTokenService] })
export class AccessModule {}
