import { Body, Controller, Delete, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { AccountRow } from '../access/access.rows.ts';
import { lockAccountNamed } from '../access/account.queries.ts';
import { AccessService } from '../access/access.service.ts';
import { AccountTokens } from '../access/account-tokens.service.ts';
import { CurrentCaller, type Caller } from '../access/caller.ts';
import type { Sql } from '../database/database.service.ts';
import { AppError } from '../errors/app-error.ts';
import { AuditService } from '../audit/audit.service.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { secretOf } from '../http/credential.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { openSecret, sealSecret } from '../join-tokens/sealed-secret.ts';
import { ApiAnswer, ApiChange } from '../openapi/api-decorators.ts';
import { IdentityService } from './oidc/identity.service.ts';
import { PasswordService } from './passwords/password.service.ts';
import { SignInService } from './sessions/sign-in.service.ts';
import {
  emptyBody,
  endTokensBody,
  linkedIdentitySchema,
  linkIdentityBody,
  oneTimePasswordSchema,
  removedPasswordSchema,
  unlinkedIdentitySchema,
  unlinkIdentityBody,
} from './sign-in.schema.ts';
import { WaysInService } from './ways-in.service.ts';

/** How an account may sign in: what admins give. */
@ApiTags('sign-in')
@Controller('accounts/:account')
export class AccountSignInController {
  readonly #idempotency: IdempotencyService;
  readonly #passwords: PasswordService;
  readonly #signIns: SignInService;
  readonly #identities: IdentityService;
  readonly #waysIn: WaysInService;
  readonly #audit: AuditService;
  readonly #access: AccessService;
  readonly #tokens: AccountTokens;

  constructor(
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(PasswordService) passwords: PasswordService,
    @Inject(SignInService) signIns: SignInService,
    @Inject(IdentityService) identities: IdentityService,
    @Inject(WaysInService) waysIn: WaysInService,
    @Inject(AuditService) audit: AuditService,
    @Inject(AccessService) access: AccessService,
    @Inject(AccountTokens) tokens: AccountTokens,
  ) {
    this.#idempotency = idempotency;
    this.#passwords = passwords;
    this.#signIns = signIns;
    this.#identities = identities;
    this.#waysIn = waysIn;
    this.#audit = audit;
    this.#access = access;
    this.#tokens = tokens;
  }

  @Post('password')
  @ApiOperation({
    summary: 'Give an account a one-time password',
    description:
      'It takes the place of the password, if there is one; all sign-ins of the account end. Its API tokens stay, but with endTokens.',
  })
  @ApiAnswer(201, oneTimePasswordSchema, 'The password is answered here and nowhere else.')
  @ApiChange('account_not_found')
  async password(
    @Param('account') name: string,
    @Body({ schema: endTokensBody }) { endTokens = false }: z.output<typeof endTokensBody>,
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
        disabled: account.disabled_at !== null,
        ...(await this.#tokens.after(sql, account.id, endTokens, sourceOf(request))),
      };
      return { status: 201, body: { item, sealed: seal(password) } };
    });
    if (endTokens) await this.#access.changed();
    return { ...body.item, password: open(body.sealed) };
  }

  @Delete('password')
  @ApiOperation({
    summary: "Take an account's password away",
    description:
      'Nobody signs in with it any more, and sign-ins that were begun with it end. Also the last way in may be taken: the answer says what is left.',
  })
  @ApiAnswer(200, removedPasswordSchema, 'Removed.')
  @ApiChange('account_not_found', 'password_not_found')
  async removePassword(
    @Param('account') name: string,
    @Body({ schema: emptyBody }) _body: Record<string, never>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<z.output<typeof removedPasswordSchema>, 'freeze'>> {
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const { id, name: accountName } = await personNamed(sql, name);
      if (!(await this.#passwords.remove(sql, id)))
        throw new AppError('password_not_found', `the account ${accountName} has no password`);
      const signInsEnded = await this.#signIns.endThoseBy(sql, id, 'password', caller.name);
      const details = { account: accountName, signInsEnded };
      await this.#audit.record(sql, sourceOf(request), { what: 'password.remove', object: id, details });
      const left = await this.#waysIn.leftTo(sql, id);
      return { status: 200, body: { account: { id, name: accountName }, signInsEnded, left } };
    });
    return body;
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
      const { issuer } = await this.#identities.link(sql, account.id, subject, caller.name);
      const details = { account: account.name, issuer, subject };
      await this.#audit.record(sql, sourceOf(request), { what: 'identity.link', object: account.id, details });
      return { status: 201, body: { account: { id: account.id, name: account.name }, issuer, subject } };
    });
    return body;
  }

  @Delete('identities')
  @ApiOperation({
    summary: 'Unlink an identity from an account',
    description:
      'It signs nobody in any more, and sign-ins of the account through an identity provider end. Also the last way in may be taken: the answer says what is left. What its groups gave holds until its end.',
  })
  @ApiAnswer(200, unlinkedIdentitySchema, 'Unlinked.')
  @ApiChange('account_not_found', 'identity_not_found')
  async unlink(
    @Param('account') name: string,
    @Body({ schema: unlinkIdentityBody }) { subject, issuer: wanted }: z.output<typeof unlinkIdentityBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<z.output<typeof unlinkedIdentitySchema>, 'freeze'>> {
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const { id, name: accountName } = await personNamed(sql, name);
      const { issuer } = await this.#identities.unlink(sql, { id, name: accountName }, subject, wanted);
      // A sign-in does not say by which identity it was begun: an account has one, all but always.
      const signInsEnded = await this.#signIns.endThoseBy(sql, id, 'oidc', caller.name);
      const details = { account: accountName, issuer, subject, signInsEnded };
      await this.#audit.record(sql, sourceOf(request), { what: 'identity.unlink', object: id, details });
      const left = await this.#waysIn.leftTo(sql, id);
      return { status: 200, body: { account: { id, name: accountName }, issuer, subject, signInsEnded, left } };
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
      ? `there is no account ${JSON.stringify(name.slice(0, 100))}; make one: modfleet accounts create NAME --kind person`
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
