import { Module } from '@nestjs/common';
import { DiagnoseService } from './diagnose.service.ts';
import { EnrollmentService } from './enrollment.service.ts';
import { IdentityHandlers } from './identity-handlers.ts';
import { JoinTokenService } from './join-token.service.ts';

/** How machines become hosts, and how a host asks what is wrong. */
@Module({
  providers: [JoinTokenService, EnrollmentService, DiagnoseService, IdentityHandlers],
  exports: [JoinTokenService, EnrollmentService, DiagnoseService, IdentityHandlers],
})
export class EnrollmentModule {}
