import { Module } from '@nestjs/common';
import { SignInModule } from '../sign-in/sign-in.module.ts';
import { AccountsController } from './accounts.controller.ts';
import { AccountsService } from './accounts.service.ts';
import { GrantsController } from './grants.controller.ts';
import { GrantsService } from './grants.service.ts';
import { MeController } from './me.controller.ts';
import { TokensController } from './tokens.controller.ts';
import { TokensService } from './tokens.service.ts';

/** Accounts, grants and API tokens over HTTP. */
@Module({
  imports: [SignInModule],
  controllers: [AccountsController, GrantsController, TokensController, MeController],
  providers: [AccountsService, GrantsService, TokensService],
})
export class AccountsModule {}
