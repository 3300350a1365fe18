import { Module } from '@nestjs/common';
import { ServerKeys } from '../keys/server-keys.ts';
import { AccountSignInController } from './account-sign-in.controller.ts';
import { LoginLimiter } from './limits/login-limiter.ts';
import { LoginService } from './login.service.ts';
import { GroupGrants } from './oidc/group-grants.service.ts';
import { IdentityService } from './oidc/identity.service.ts';
import { OidcController } from './oidc/oidc.controller.ts';
import { OidcLoginService } from './oidc/oidc-login.service.ts';
import { HashQueue } from './passwords/hash-queue.ts';
import { PasswordCost, PasswordService } from './passwords/password.service.ts';
import { Sealing } from './sealing.ts';
import { SessionsController } from './sessions/sessions.controller.ts';
import { SignInService } from './sessions/sign-in.service.ts';
import { SignInController } from './sign-in.controller.ts';
import { WaysInService } from './ways-in.service.ts';

/** How people show who they are: passwords, the identity provider, and the sign-ins that follow. */
@Module({
  providers: [
    { provide: Sealing, inject: [ServerKeys], useFactory: (keys: ServerKeys) => new Sealing(keys.sealKey('access')) },
    { provide: HashQueue, useFactory: () => new HashQueue() },
    LoginLimiter,
    PasswordCost,
    PasswordService,
    SignInService,
    IdentityService,
    GroupGrants,
    WaysInService,
    LoginService,
    OidcLoginService,
  ],
  controllers: [SignInController, OidcController, SessionsController, AccountSignInController],
  exports: [Sealing, SignInService, WaysInService],
})
export class SignInModule {}
