import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { isUuid } from '@modfleet/proto';
import { sourceOf } from '../audit/audit-source.ts';
import { JoinTokenService } from '../enrollment/join-token.service.ts';
import { AppError } from '../errors/app-error.ts';
import { secretOf } from '../http/credential.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { toJoinTokenItem, type JoinTokenItem } from './join-token.view.ts';
import {
  createdJoinTokenSchema,
  createJoinTokenBody,
  joinTokenListQuery,
  joinTokenListSchema,
  joinTokenSchema,
} from './join-tokens.schema.ts';
import { openSecret, sealSecret } from './sealed-secret.ts';

const DEFAULT_LIFETIME_S = 1800;
const SCOPE = { list: 'join-tokens' };

@ApiTags('join-tokens')
@Controller('join-tokens')
export class JoinTokensController {
  readonly #tokens: JoinTokenService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;

  constructor(
    @Inject(JoinTokenService) tokens: JoinTokenService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
  ) {
    this.#tokens = tokens;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
  }

  @Post()
  @ApiOperation({
    summary: 'Make a join token',
    description: 'The join string is answered here and nowhere else: an agent joins with it.',
  })
  @ApiAnswer(201, createdJoinTokenSchema, 'Made.')
  @ApiChange()
  async create(
    @Body({ schema: createJoinTokenBody }) body: z.output<typeof createJoinTokenBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JoinTokenItem & { joinString: string }> {
    const bearer = secretOf(request);
    const salt = request.idempotencyKey ?? '';
    const { body: stored } = await this.#idempotency.run(request, reply, async (sql) => {
      const { joinToken, joinString } = await this.#tokens.create(
        sql,
        {
          name: body.name,
          maxUses: body.maxUses ?? 1,
          expiresInSeconds: body.expiresIn ?? DEFAULT_LIFETIME_S,
          labels: body.labels,
        },
        sourceOf(request),
      );
      return { status: 201, body: { item: toJoinTokenItem(joinToken), sealed: sealSecret(joinString, bearer, salt) } };
    });
    return { ...stored.item, joinString: openSecret(stored.sealed, bearer, salt) };
  }

  @Get()
  @ApiOperation({ summary: 'Join tokens, newest first' })
  @ApiAnswer(200, joinTokenListSchema, 'A page of join tokens, without their secrets.')
  @ApiProblems('limit_invalid', 'cursor_invalid', 'query_invalid')
  async list(
    @Query({ schema: joinTokenListQuery }) query: z.output<typeof joinTokenListQuery>,
  ): Promise<{ items: JoinTokenItem[]; nextCursor: string | null }> {
    const position = await this.#cursors.open(SCOPE, query.cursor);
    const [createdAtMs, id] = position?.key ?? [];
    const before = createdAtMs === undefined ? null : { createdAt: new Date(createdAtMs), id: String(id) };
    const rows = await this.#tokens.list(query.limit + 1, before);
    const page = rows.slice(0, query.limit);
    const last = page.at(-1);
    if (rows.length <= page.length || last === undefined) return { items: page.map(toJoinTokenItem), nextCursor: null };
    const key = [last.createdAt.getTime(), last.id];
    const nextCursor = await this.#cursors.seal(SCOPE, { key, asOfMs: position?.asOfMs ?? Date.now() });
    return { items: page.map(toJoinTokenItem), nextCursor };
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Revoke a join token', description: 'Hosts that joined by it stay.' })
  @ApiAnswer(200, joinTokenSchema, 'Revoked.')
  @ApiChange('join_token_not_found')
  async revoke(
    @Param('id') id: string,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JoinTokenItem> {
    const { body } = await this.#idempotency.run(request, reply, async (sql) => {
      const row = isUuid(id) ? await this.#tokens.revoke(sql, id, sourceOf(request)) : undefined;
      if (row === undefined) {
        throw new AppError(
          'join_token_not_found',
          `there is no join token ${JSON.stringify(id.slice(0, 64))}; GET /api/v1/join-tokens lists them`,
        );
      }
      return { status: 200, body: toJoinTokenItem(row) };
    });
    return body;
  }
}
