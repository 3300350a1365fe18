import { Body, Controller, Delete, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { isUuid } from '@modfleet/proto';
import { AccessService } from '../../access/access.service.ts';
import { AccountTokens } from '../../access/account-tokens.service.ts';
import { findAccount } from '../../access/account.queries.ts';
import { requireAllowed } from '../../access/allowed.ts';
import { CurrentCaller, type Caller } from '../../access/caller.ts';
import { decide } from '../../access/decision.ts';
import { sourceOf } from '../../audit/audit-source.ts';
import { DatabaseService } from '../../database/database.service.ts';
import { AppError } from '../../errors/app-error.ts';
import { IdempotencyService } from '../../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../../openapi/api-decorators.ts';
import { CursorService } from '../../paging/cursor.service.ts';
import { type EndedSignIn, type SignInItem, toSignInItem } from '../sign-in-answer.ts';
import { endedSignInSchema, endTokensBody, signInListQuery, signInListSchema } from '../sign-in.schema.ts';
import { SignInService } from './sign-in.service.ts';

/** Sign-ins that are open: everybody sees and ends their own, admins those of all. */
@ApiTags('sign-in')
@Controller('sessions')
export class SessionsController {
  readonly #signIns: SignInService;
  readonly #database: DatabaseService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;
  readonly #access: AccessService;
  readonly #tokens: AccountTokens;

  constructor(
    @Inject(SignInService) signIns: SignInService,
    @Inject(DatabaseService) database: DatabaseService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(AccessService) access: AccessService,
    @Inject(AccountTokens) tokens: AccountTokens,
  ) {
    this.#signIns = signIns;
    this.#database = database;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
    this.#access = access;
    this.#tokens = tokens;
  }

  @Get()
  @ApiOperation({
    summary: 'Open sign-ins, latest first',
    description: 'Your own, unless account or all says another.',
  })
  @ApiAnswer(200, signInListSchema, 'A page of sign-ins, without their secrets.')
  @ApiProblems('limit_invalid', 'cursor_invalid', 'query_invalid', 'account_not_found')
  async list(
    @Query({ schema: signInListQuery }) query: z.output<typeof signInListQuery>,
    @CurrentCaller() caller: Caller,
  ): Promise<{ items: SignInItem[]; nextCursor: string | null }> {
    const accountId = await this.#accountOf(query, caller);
    const scope = { list: 'sessions', accountId };
    const position = await this.#cursors.open(scope, query.cursor);
    const [createdAtMs, id] = position?.key ?? [];
    const before = createdAtMs === undefined ? null : { createdAt: new Date(createdAtMs), id: String(id) };
    const rows = await this.#signIns.list(accountId, query.limit + 1, before);
    const page = rows.slice(0, query.limit);
    const items = page.map((row) => toSignInItem(row, caller.credential.id));
    const last = page.at(-1);
    if (rows.length <= page.length || last === undefined) return { items, nextCursor: null };
    const key = [last.created_at.getTime(), last.id];
    return { items, nextCursor: await this.#cursors.seal(scope, { key, asOfMs: position?.asOfMs ?? Date.now() }) };
  }

  @Delete(':id')
  @ApiOperation({
    summary: 'End a sign-in',
    description:
      'Its next call is refused, and what it asked for and was not sent yet is not sent, unless it ends itself. API tokens that were made with it stay, but with endTokens.',
  })
  @ApiAnswer(200, endedSignInSchema, 'Ended.')
  @ApiChange('session_not_found')
  async end(
    @Param('id') id: string,
    @Body({ schema: endTokensBody }) { endTokens = false }: z.output<typeof endTokensBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<EndedSignIn> {
    const whose = decide(caller, 'access', 'fleet').allowed ? null : caller.accountId;
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const source = sourceOf(request);
      const row = !isUuid(id)
        ? undefined
        : id === caller.credential.id
          ? await this.#signIns.leave(sql, source, id, caller.accountId)
          : await this.#signIns.end(sql, source, id, whose);
      if (row === undefined)
        throw new AppError(
          'session_not_found',
          `there is no open sign-in ${JSON.stringify(id.slice(0, 64))}; GET /api/v1/sessions lists them`,
        );
      const item = toSignInItem(row, caller.credential.id);
      const tokens = await this.#tokens.after(sql, row.account_id, endTokens, source);
      return { status: 200, body: { ...item, endedAt: row.ended_at?.toISOString() ?? '', ...tokens } };
    });
    if (endTokens) await this.#access.changed();
    return body;
  }

  /** Null: all accounts'. */
  async #accountOf(query: z.output<typeof signInListQuery>, caller: Caller): Promise<string | null> {
    if (query.all === 'true' && query.account !== undefined)
      throw new AppError('query_invalid', 'account and all exclude each other');
    if (query.all === 'true') requireAllowed(decide(caller, 'access', 'fleet'));
    if (query.all === 'true') return null;
    if (query.account === undefined || query.account === caller.name || query.account === caller.accountId)
      return caller.accountId;
    requireAllowed(decide(caller, 'access', 'fleet'));
    const account = await findAccount(this.#database, query.account);
    if (account === undefined)
      throw new AppError('account_not_found', `there is no account ${JSON.stringify(query.account)}`);
    return account.id;
  }
}
