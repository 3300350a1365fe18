import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AccessService } from '../access/access.service.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import {
  accountListQuery,
  accountListSchema,
  accountSchema,
  createAccountBody,
  disabledAccountSchema,
  emptyBody,
} from './accounts.schema.ts';
import { AccountsService } from './accounts.service.ts';
import type { AccountItem } from './accounts.view.ts';

const SCOPE = { list: 'accounts' };

@ApiTags('access')
@Controller('accounts')
export class AccountsController {
  readonly #accounts: AccountsService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;
  readonly #access: AccessService;

  constructor(
    @Inject(AccountsService) accounts: AccountsService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(AccessService) access: AccessService,
  ) {
    this.#accounts = accounts;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
    this.#access = access;
  }

  @Get()
  @ApiOperation({ summary: 'Accounts, by name' })
  @ApiAnswer(200, accountListSchema, 'A page of accounts.')
  @ApiProblems('limit_invalid', 'cursor_invalid', 'query_invalid')
  async list(
    @Query({ schema: accountListQuery }) query: z.output<typeof accountListQuery>,
  ): Promise<{ items: AccountItem[]; nextCursor: string | null }> {
    const position = await this.#cursors.open(SCOPE, query.cursor);
    const after = position === null ? null : String(position.key[0]);
    const { items, next } = await this.#accounts.list(query.limit, after);
    const asOfMs = position?.asOfMs ?? Date.now();
    return { items, nextCursor: next === null ? null : await this.#cursors.seal(SCOPE, { key: [next], asOfMs }) };
  }

  @Post()
  @ApiOperation({ summary: 'Make an account', description: 'It may do nothing before it has a grant.' })
  @ApiAnswer(201, accountSchema, 'Made.')
  @ApiChange('account_exists')
  async create(
    @Body({ schema: createAccountBody }) body: z.output<typeof createAccountBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountItem> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 201,
      body: await this.#accounts.create(sql, body.name, body.kind ?? 'service', sourceOf(request)),
    }));
    return done.body;
  }

  @Post(':account/disable')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Disable an account',
    description:
      'Its API tokens and sign-ins end for good, from the next call on, and what it asked for and was not sent yet is not sent.',
  })
  @ApiAnswer(200, disabledAccountSchema, 'Disabled.')
  @ApiChange('account_not_found', 'last_admin')
  async disable(
    @Param('account') account: string,
    @Body({ schema: emptyBody }) _body: object,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountItem & { readonly tokensEnded: number }> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#accounts.disable(sql, account, sourceOf(request)),
    }));
    await this.#access.changed();
    return done.body;
  }

  @Post(':account/enable')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Enable an account',
    description: 'Its grants hold again. It has no API tokens and no sign-ins: those ended when it was disabled.',
  })
  @ApiAnswer(200, accountSchema, 'Enabled.')
  @ApiChange('account_not_found', 'access_seal_broken')
  async enable(
    @Param('account') account: string,
    @Body({ schema: emptyBody }) _body: object,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountItem> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#accounts.enable(sql, account, sourceOf(request)),
    }));
    await this.#access.changed();
    return done.body;
  }
}
