import { Body, Controller, Delete, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { AccessService } from '../access/access.service.ts';
import { type Caller, CurrentCaller } from '../access/caller.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { addGrantBody, grantListQuery, grantListSchema, grantSchema } from './accounts.schema.ts';
import type { GrantItem } from './accounts.view.ts';
import { GrantsService } from './grants.service.ts';

@ApiTags('access')
@Controller('grants')
export class GrantsController {
  readonly #grants: GrantsService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;
  readonly #access: AccessService;

  constructor(
    @Inject(GrantsService) grants: GrantsService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(AccessService) access: AccessService,
  ) {
    this.#grants = grants;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
    this.#access = access;
  }

  @Get()
  @ApiOperation({
    summary: 'Grants, by account',
    description: 'An admin of some hosts sees the grants over those hosts alone.',
  })
  @ApiAnswer(200, grantListSchema, 'A page of grants.')
  @ApiProblems('account_not_found', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  async list(
    @Query({ schema: grantListQuery }) query: z.output<typeof grantListQuery>,
    @CurrentCaller() caller: Caller,
  ): Promise<{ items: GrantItem[]; nextCursor: string | null }> {
    const { limit, cursor, ...filter } = query;
    const scope = { list: 'grants', ...filter };
    const position = await this.#cursors.open(scope, cursor);
    const after = position === null ? null : { accountName: String(position.key[0]), id: String(position.key[1]) };
    const { items, next } = await this.#grants.list(filter, limit, after, caller);
    const key = next === null ? [] : [next.accountName, next.id];
    const asOfMs = position?.asOfMs ?? Date.now();
    return { items, nextCursor: next === null ? null : await this.#cursors.seal(scope, { key, asOfMs }) };
  }

  @Post()
  @ApiOperation({
    summary: 'Give a role to an account',
    description:
      'Over the whole fleet (`all`), or over the hosts whose labels match `selector` at the time. Nobody gives more than they have.',
  })
  @ApiAnswer(201, grantSchema, 'Given; the same grant once more is the one that is there.')
  @ApiChange('selector_invalid', 'account_not_found')
  async add(
    @Body({ schema: addGrantBody }) body: z.output<typeof addGrantBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<GrantItem> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 201,
      body: await this.#grants.add(sql, body, caller, sourceOf(request)),
    }));
    await this.#access.changed();
    return done.body;
  }

  @Delete(':id')
  @ApiOperation({ summary: 'Take a grant back', description: 'What was asked for by it and not sent yet is not sent.' })
  @ApiAnswer(200, grantSchema, 'Taken back.')
  @ApiChange('grant_not_found', 'last_admin')
  async remove(
    @Param('id') id: string,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<GrantItem> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#grants.remove(sql, id, caller, sourceOf(request)),
    }));
    await this.#access.changed();
    return done.body;
  }
}
