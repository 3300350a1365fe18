import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CurrentCaller, type Caller } from '../access/caller.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { requireSameOrigin } from '../http/credential.ts';
import { ApiAnswer, ApiProblems, BODY_PROBLEMS } from '../openapi/api-decorators.ts';
import { LoginService } from './login.service.ts';
import { SignInService } from './sessions/sign-in.service.ts';
import { dropCookie, type SignedIn, signedIn, visitorOf } from './sign-in-answer.ts';
import {
  changedPasswordSchema,
  changePasswordBody,
  emptyBody,
  loginBody,
  logoutSchema,
  signedInSchema,
} from './sign-in.schema.ts';

/**
 * Signing in with a password, and out. None of these takes an Idempotency-Key: under one a digest of the body would be kept for two days, and a body with a
 * password in it is guessed at from its digest.
 */
@ApiTags('sign-in')
@Controller()
export class SignInController {
  readonly #login: LoginService;
  readonly #signIns: SignInService;
  readonly #database: DatabaseService;
  readonly #publicUrl: string | null;

  constructor(
    @Inject(LoginService) login: LoginService,
    @Inject(SignInService) signIns: SignInService,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(SERVER_CONFIG) config: ServerConfig,
  ) {
    this.#login = login;
    this.#signIns = signIns;
    this.#database = database;
    this.#publicUrl = config.publicUrl;
  }

  @Post('login')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Sign in with a password',
    description: 'Needs no credential. Failed tries are slowed down by account and by address (docs/sign-in.md).',
  })
  @ApiAnswer(200, signedInSchema, 'Signed in.')
  @ApiProblems(
    'login_failed',
    'rate_limited',
    'password_change_required',
    'password_refused',
    'account_disabled',
    ...BODY_PROBLEMS,
    'cross_site',
  )
  async login(
    @Body({ schema: loginBody }) body: z.output<typeof loginBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<SignedIn> {
    const { user, password, newPassword, carrier } = body;
    // Another site must not sign a browser in as somebody it is not.
    const isFromPage = request.headers.origin !== undefined || request.headers['sec-fetch-site'] !== undefined;
    if (carrier === 'cookie' && isFromPage) requireSameOrigin(request, this.#publicUrl);
    const done = await this.#login.login({ user, password, newPassword, carrier, ...visitorOf(request) });
    return signedIn(done, carrier, reply);
  }

  @Post('logout')
  @HttpCode(200)
  @ApiOperation({ summary: 'End the sign-in that asks' })
  @ApiAnswer(200, logoutSchema, 'Ended.')
  @ApiProblems('session_ended', 'session_not_found', 'cross_site', ...BODY_PROBLEMS)
  async logout(
    @Body({ schema: emptyBody }) _body: Record<string, never>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<z.output<typeof logoutSchema>, 'freeze'>> {
    const { kind, id } = caller.credential;
    const ended =
      kind === 'session'
        ? await this.#database.tx('READ COMMITTED', (sql) =>
            this.#signIns.leave(sql, sourceOf(request), id, caller.accountId),
          )
        : undefined;
    if (ended === undefined)
      throw new AppError(
        'session_not_found',
        'there is no sign-in to end: this call was made with an API token, which stays until it is revoked',
      );
    dropCookie(reply);
    return { signInId: ended.id, endedAt: ended.ended_at?.toISOString() ?? '' };
  }

  @Post('me/password')
  @HttpCode(200)
  @ApiOperation({ summary: 'Change your own password', description: 'All your other sign-ins end.' })
  @ApiAnswer(200, changedPasswordSchema, 'Changed.')
  @ApiProblems('login_failed', 'rate_limited', 'password_refused', 'cross_site', ...BODY_PROBLEMS)
  async changePassword(
    @Body({ schema: changePasswordBody }) body: z.output<typeof changePasswordBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
  ): Promise<{ signInsEnded: number }> {
    if (caller.kind !== 'person')
      throw new AppError('login_failed', `the account ${caller.name} is a service account: it has no password`);
    return {
      signInsEnded: await this.#login.changePassword(sourceOf(request), caller, body.password, body.newPassword),
    };
  }
}
