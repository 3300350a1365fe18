import { Module } from '@nestjs/common';
import { DiagnoseService } from './diagnose.service.ts';
import { EnrollmentService } from './enrollment.service.ts';
import { IdentityHandlers } from './identity-handlers.ts';
import { JoinTokenRepository } from './join-token.repository.ts';
import { JoinTokenService } from './join-token.service.ts';
import { NonceStore } from './nonce-store.ts';
import { RenewService } from './renew.service.ts';

/** How machines become hosts, how a host gets its next certificate, and how it asks what is wrong. */
@Module({
  providers: [
    JoinTokenRepository,
    JoinTokenService,
    EnrollmentService,
    NonceStore,
    DiagnoseService,
    RenewService,
    IdentityHandlers,
  ],
  exports: [JoinTokenService, EnrollmentService, DiagnoseService, RenewService, IdentityHandlers],
})
export class EnrollmentModule {}
