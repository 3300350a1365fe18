import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AccessService } from '../access/access.service.ts';
import { type Caller, CurrentCaller } from '../access/caller.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { secretOf } from '../http/credential.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { openSecret, sealSecret } from '../join-tokens/sealed-secret.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import {
  createdTokenSchema,
  createTokenBody,
  tokenListQuery,
  tokenListSchema,
  tokenSchema,
} from './accounts.schema.ts';
import type { TokenItem } from './accounts.view.ts';
import { TokensService } from './tokens.service.ts';

@ApiTags('access')
@Controller('tokens')
export class TokensController {
  readonly #tokens: TokensService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;
  readonly #access: AccessService;

  constructor(
    @Inject(TokensService) tokens: TokensService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(AccessService) access: AccessService,
  ) {
    this.#tokens = tokens;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
    this.#access = access;
  }

  @Get()
  @ApiOperation({
    summary: 'API tokens, oldest first',
    description: "Your own; for admins of the whole fleet everybody's.",
  })
  @ApiAnswer(200, tokenListSchema, 'A page of API tokens, without their secrets.')
  @ApiProblems('account_not_found', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  async list(
    @Query({ schema: tokenListQuery }) query: z.output<typeof tokenListQuery>,
    @CurrentCaller() caller: Caller,
  ): Promise<{ items: TokenItem[]; nextCursor: string | null }> {
    const { limit, cursor, ...filter } = query;
    const scope = { list: 'tokens', ...filter };
    const position = await this.#cursors.open(scope, cursor);
    const after = position === null ? null : { createdAt: String(position.key[0]), id: String(position.key[1]) };
    const { items, next } = await this.#tokens.list(filter, limit, after, caller);
    const key = next === null ? [] : [next.createdAt, next.id];
    const asOfMs = position?.asOfMs ?? Date.now();
    return { items, nextCursor: next === null ? null : await this.#cursors.seal(scope, { key, asOfMs }) };
  }

  @Post()
  @ApiOperation({
    summary: 'Make an API token',
    description:
      'For yourself, or as admin of the whole fleet for another account. The secret is answered here and nowhere else.',
  })
  @ApiAnswer(201, createdTokenSchema, 'Made.')
  @ApiChange('account_not_found', 'account_disabled', 'access_seal_broken')
  async create(
    @Body({ schema: createTokenBody }) body: z.output<typeof createTokenBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenItem & { token: string }> {
    const bearer = secretOf(request);
    const salt = request.idempotencyKey ?? '';
    const { body: stored } = await this.#idempotency.run(request, reply, async (sql) => {
      const { item, secret } = await this.#tokens.create(sql, body, caller, sourceOf(request));
      return { status: 201, body: { item, sealed: sealSecret(secret, bearer, salt) } };
    });
    const token = openSecret(stored.sealed, bearer, salt);
    await this.#access.made(token);
    return { ...stored.item, token };
  }

  @Delete(':token')
  @ApiOperation({
    summary: 'Revoke an API token',
    description:
      'By its id or its shown beginning. Holds from the next call on; what was asked for with it and not sent yet is not sent.',
  })
  @ApiAnswer(200, tokenSchema, 'Revoked.')
  @ApiChange('token_not_found')
  async revoke(
    @Param('token') token: string,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<TokenItem> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#tokens.revoke(sql, token, caller, sourceOf(request)),
    }));
    await this.#access.changed();
    return done.body;
  }
}
