import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { CurrentCaller, ReadScope, type Caller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import type { HostScope } from '../access/host-scope.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems, ApiStream } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import type { ActionItem } from './action.model.ts';
import type { Applied } from './action.repository.ts';
import { toItem } from './action.view.ts';
import { ActionWatch } from './action-watch.service.ts';
import {
  actionItemSchema,
  actionListQuery,
  actionListSchema,
  actionSchema,
  cancelActionBody,
  cancelActionSchema,
  createActionBody,
} from './actions.schema.ts';
import { actionDecision, ActionsService, type ActionListQuery, type CreateActionBody } from './actions.service.ts';

type WithoutFreeze<T> = Omit<T, 'freeze'>;

@ApiTags('actions')
@Controller('actions')
export class ActionsController {
  readonly #actions: ActionsService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;
  readonly #watch: ActionWatch;

  constructor(
    @Inject(ActionsService) actions: ActionsService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
    @Inject(ActionWatch) watch: ActionWatch,
  ) {
    this.#actions = actions;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
    this.#watch = watch;
  }

  @Post()
  @ApiOperation({
    summary: 'Load, unload or reload a kmod on one host',
    description:
      'Stored before the answer. A host that is silent gets it when it comes back, unless it has expired by then.',
  })
  @ApiAnswer(202, actionSchema, 'Stored. Location says where to follow it.')
  @ApiChange(
    'kmod_name_invalid',
    'host_not_found',
    'host_ambiguous',
    'host_retired',
    'host_revoked',
    'host_quarantined',
    'frozen',
  )
  async create(
    @Body({ schema: createActionBody }) body: CreateActionBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<ActionItem> {
    const source = sourceOf(request);
    request.decision = actionDecision(body);
    const { body: item, replayed } = await this.#idempotency.run(request, reply, async (sql) => {
      const action = await this.#actions.create(sql, body, caller, source);
      return { status: 202, body: toItem(action), location: `/api/v1/actions/${action.id}` };
    });
    if (!replayed) this.#actions.begin(item);
    return item;
  }

  @Get()
  @ApiOperation({ summary: 'Actions, newest first' })
  @ApiAnswer(200, actionListSchema, 'A page of actions.')
  @ApiProblems(
    'query_invalid',
    'limit_invalid',
    'cursor_invalid',
    'host_not_found',
    'host_ambiguous',
    'host_retired',
    'kmod_name_invalid',
  )
  async list(
    @Query({ schema: actionListQuery }) query: ActionListQuery,
    @ReadScope() hosts: HostScope,
  ): Promise<WithoutFreeze<z.output<typeof actionListSchema>>> {
    const { limit: _limit, cursor, ...filters } = query;
    const scope = { list: 'actions', ...filters };
    const position = await this.#cursors.open(scope, cursor);
    const [createdAt, id] = position?.key ?? [];
    const after = createdAt === undefined ? undefined : { createdAt: String(createdAt), id: String(id) };
    const { items, next, asOf } = await this.#actions.list(query, after, hosts);
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    const nextCursor =
      next === null ? null : await this.#cursors.seal(scope, { key: [next.createdAt, next.id], asOfMs });
    return { items: items.map(toItem), nextCursor, asOf: asOf.toISOString() };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One action, as far as this server has seen' })
  @ApiAnswer(200, actionSchema, 'The action.')
  @ApiProblems('action_not_found')
  async show(@Param('id') id: string, @ReadScope() scope: HostScope): Promise<ActionItem> {
    return toItem(await this.#actions.get(id, scope));
  }

  @Get(':id/watch')
  @ApiOperation({
    summary: 'Follow an action to its end',
    description:
      'text/event-stream (or application/x-ndjson): events `action`, the id is the version. The state comes first, then each change; the stream ends with the ended action. Last-Event-ID is honoured: 204 when the client has seen the end.',
  })
  @ApiStream(actionItemSchema, 'A stream of the action, one event a version.')
  @ApiProblems('action_not_found')
  async watch(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.#watch.stream(id, request, reply);
  }

  @Post(':id/cancel')
  @ApiOperation({
    summary: 'Take an action back',
    description:
      '`cancelled` is true only when the action is known not to have started. Waits up to 3 s for the word of the host.',
  })
  @ApiAnswer(200, cancelActionSchema, 'Whether it is cancelled, and the action as it is now.')
  @ApiChange('action_not_found')
  async cancel(
    @Param('id') id: string,
    @Body({ schema: cancelActionBody }) _body: Record<string, never>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ cancelled: boolean; action: ActionItem }> {
    // What is stored for a repetition is that the cancel was asked for; how it went is looked up each time.
    let applied: Applied | undefined;
    await this.#idempotency.run(request, reply, async (sql) => {
      applied = await this.#actions.cancel(sql, id, caller, sourceOf(request));
      return { status: 200, body: {} };
    });
    const { cancelled, action } = await this.#actions.settleCancel(id, applied, scopeOf(caller, 'read'));
    return { cancelled, action: toItem(action) };
  }
}
