import { Body, Controller, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { AccountRow } from '../access/access.rows.ts';
import { lockAccountNamed } from '../access/account.queries.ts';
import { CurrentCaller, type Caller } from '../access/caller.ts';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { AuditService } from '../audit/audit.service.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { secretOf } from '../http/credential.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { openSecret, sealSecret } from '../join-tokens/sealed-secret.ts';
import { ApiAnswer, ApiChange } from '../openapi/api-decorators.ts';
import { OidcLoginService } from './oidc/oidc-login.service.ts';
import { PasswordService } from './passwords/password.service.ts';
import { SignInService } from './sessions/sign-in.service.ts';
import { emptyBody, linkedIdentitySchema, linkIdentityBody, oneTimePasswordSchema } from './sign-in.schema.ts';

/** How an account may sign in: what admins give. */
@ApiTags('sign-in')
@Controller('accounts/:account')
export class AccountSignInController {
  readonly #idempotency: IdempotencyService;
  readonly #passwords: PasswordService;
  readonly #signIns: SignInService;
  readonly #oidc: OidcLoginService;
  readonly #audit: AuditService;

  constructor(
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(PasswordService) passwords: PasswordService,
    @Inject(SignInService) signIns: SignInService,
    @Inject(OidcLoginService) oidc: OidcLoginService,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#idempotency = idempotency;
    this.#passwords = passwords;
    this.#signIns = signIns;
    this.#oidc = oidc;
    this.#audit = audit;
  }

  @Post('password')
  @ApiOperation({
    summary: 'Give an account a one-time password',
    description: 'It takes the place of the password, if there is one; all sign-ins of the account end.',
  })
  @ApiAnswer(201, oneTimePasswordSchema, 'The password is answered here and nowhere else.')
  @ApiChange('account_not_found')
  async password(
    @Param('account') name: string,
    @Body({ schema: emptyBody }) _body: Record<string, never>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<z.output<typeof oneTimePasswordSchema>, 'freeze'>> {
    // Hashed before the transaction begins; a repeated request hashes for nothing.
    const { password, phc } = await this.#passwords.makeOneTime();
    const { seal, open } = keptUnder(request);
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const account = await personNamed(sql, name);
      const expiresAt = await this.#passwords.putOneTime(sql, account.id, phc);
      const signInsEnded = await this.#signIns.endAllOf(sql, account.id, null, caller.name);
      const details = { account: account.name, signInsEnded };
      await this.#audit.record(sql, sourceOf(request), { what: 'password.give', object: account.id, details });
      const item = {
        account: { id: account.id, name: account.name },
        expiresAt: expiresAt.toISOString(),
        signInsEnded,
      };
      return { status: 201, body: { item, sealed: seal(password) } };
    });
    return { ...body.item, password: open(body.sealed) };
  }

  @Post('identities')
  @ApiOperation({
    summary: 'Link an account to an identity at the identity provider',
    description: 'Whoever the provider calls by this subject signs in as the account.',
  })
  @ApiAnswer(201, linkedIdentitySchema, 'Linked.')
  @ApiChange('account_not_found', 'account_exists', 'oidc_not_set_up')
  async link(
    @Param('account') name: string,
    @Body({ schema: linkIdentityBody }) { subject }: z.output<typeof linkIdentityBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<z.output<typeof linkedIdentitySchema>, 'freeze'>> {
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const account = await personNamed(sql, name);
      const { issuer } = await this.#oidc.link(sql, account.id, subject, caller.name);
      const details = { account: account.name, issuer, subject };
      await this.#audit.record(sql, sourceOf(request), { what: 'identity.link', object: account.id, details });
      return { status: 201, body: { account: { id: account.id, name: account.name }, issuer, subject } };
    });
    return body;
  }
}

async function personNamed(sql: Sql, name: string): Promise<AccountRow> {
  const account = await lockAccountNamed(sql, name);
  if (account?.kind === 'person') return account;
  throw new AppError(
    'account_not_found',
    account === undefined
      ? `there is no account ${JSON.stringify(name.slice(0, 100))}; make one: modfleet accounts create NAME`
      : `the account ${account.name} is a service account: it has API tokens, and does not sign in`,
  );
}

/** ADR 0008: a repeated answer is kept sealed under the caller's own secret. */
function keptUnder(request: FastifyRequest): { seal: (secret: string) => string; open: (sealed: string) => string } {
  const bearer = secretOf(request);
  const salt = request.idempotencyKey ?? '';
  return {
    seal: (secret) => sealSecret(secret, bearer, salt),
    open: (sealed) => openSecret(sealed, bearer, salt),
  };
}
