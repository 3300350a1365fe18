import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Caller, CurrentCaller, ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { RolloutList, RolloutNoteList, RolloutTargetList } from '../api-types.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems, ApiStream } from '../openapi/api-decorators.ts';
import { CursorService } from '../paging/cursor.service.ts';
import { RolloutReader } from './rollout-reader.service.ts';
import { RolloutWatch } from './rollout-watch.service.ts';
import { type RolloutItem, toSummary, toTarget } from './rollout.view.ts';
import {
  createRolloutBody,
  retryRolloutBody,
  rolloutListQuery,
  rolloutListSchema,
  rolloutNoteListSchema,
  rolloutSchema,
  rolloutTargetListSchema,
  rolloutTargetQuery,
} from './rollouts.schema.ts';
import { RolloutsService } from './rollouts.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@ApiTags('rollouts')
@Controller('rollouts')
export class RolloutsController {
  readonly #rollouts: RolloutsService;
  readonly #reader: RolloutReader;
  readonly #watch: RolloutWatch;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;

  constructor(
    @Inject(RolloutsService) rollouts: RolloutsService,
    @Inject(RolloutReader) reader: RolloutReader,
    @Inject(RolloutWatch) watch: RolloutWatch,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
  ) {
    this.#rollouts = rollouts;
    this.#reader = reader;
    this.#watch = watch;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
  }

  @Post()
  @ApiOperation({
    summary: 'Carry out a plan, in waves',
    description:
      'The hosts of the plan, each with what it said that it would do: one that would do something else when its turn comes is `drifted` and does nothing.',
  })
  @ApiAnswer(201, rolloutSchema, 'It has begun, or waits for its approval. Location says where to follow it.')
  @ApiChange('frozen', 'plan_not_found', 'plan_not_ready', 'plan_expired', 'plan_empty', 'rollout_conflict')
  async create(
    @Body({ schema: createRolloutBody }) body: z.output<typeof createRolloutBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RolloutItem> {
    const { reason, ...details } = body;
    request.decision = { what: 'rollout.create', reason, details };
    return this.#created(request, reply, (sql) => this.#rollouts.create(sql, body, caller, sourceOf(request)));
  }

  @Get()
  @ApiOperation({
    summary: 'Rollouts, newest first',
    description: 'Those alone of which you may read all hosts.',
  })
  @ApiAnswer(200, rolloutListSchema, 'A page of rollouts.')
  @ApiProblems('query_invalid', 'limit_invalid', 'cursor_invalid')
  async list(
    @Query({ schema: rolloutListQuery }) { limit, cursor, state }: z.output<typeof rolloutListQuery>,
    @ReadScope() hosts: HostScope,
  ): Answer<RolloutList> {
    const scope = { list: 'rollouts', state };
    const position = await this.#cursors.open(scope, cursor);
    const [createdAt, id] = position?.key ?? [];
    const after = createdAt === undefined ? undefined : { createdAt: String(createdAt), id: String(id) };
    const { rows, asOf } = await this.#reader.list(state, after, hosts, limit);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    const key = last === undefined ? undefined : [last.created_at_text, last.id];
    return {
      items: shown.map(toSummary),
      nextCursor: key === undefined ? null : await this.#cursors.seal(scope, { key, asOfMs }),
      asOf: asOf.toISOString(),
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One rollout, as far as its hosts have reported' })
  @ApiAnswer(200, rolloutSchema, 'The rollout.')
  @ApiProblems('rollout_not_found')
  show(@Param('id') id: string, @ReadScope() scope: HostScope): Promise<RolloutItem> {
    return this.#reader.get(id, scope);
  }

  @Get(':id/targets')
  @ApiOperation({ summary: 'Each host of a rollout', description: 'In the order of the rollout.' })
  @ApiAnswer(200, rolloutTargetListSchema, 'A page of hosts.')
  @ApiProblems('rollout_not_found', 'query_invalid', 'limit_invalid', 'cursor_invalid')
  async targets(
    @Param('id') id: string,
    @Query({ schema: rolloutTargetQuery }) query: z.output<typeof rolloutTargetQuery>,
    @ReadScope() hosts: HostScope,
  ): Answer<RolloutTargetList> {
    const { limit, cursor, unhealthy, ...rest } = query;
    const filter = { ...rest, unhealthy: unhealthy === undefined ? undefined : unhealthy === 'true' };
    const scope = { list: 'rollout-targets', rollout: id, ...filter };
    const position = await this.#cursors.open(scope, cursor);
    const after = position === null ? undefined : Number(position.key[0]);
    const { rows, asOf } = await this.#reader.targets(id, filter, after, hosts, limit);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: shown.map(toTarget),
      nextCursor: last === undefined ? null : await this.#cursors.seal(scope, { key: [last.position], asOfMs }),
      asOf: asOf.toISOString(),
    };
  }

  @Get(':id/notes')
  @ApiOperation({ summary: 'What happened in a rollout, oldest first' })
  @ApiAnswer(200, rolloutNoteListSchema, 'At most 1000 lines.')
  @ApiProblems('rollout_not_found')
  async notes(@Param('id') id: string, @ReadScope() scope: HostScope): Answer<RolloutNoteList> {
    const { rows, asOf } = await this.#reader.notes(id, scope);
    return { items: rows.map(({ at, text }) => ({ at: at.toISOString(), text })), asOf: asOf.toISOString() };
  }

  @Get(':id/watch')
  @ApiOperation({
    summary: 'Follow a rollout to its end',
    description:
      'text/event-stream (or application/x-ndjson): events `rollout`, the id is the version. The state comes first, then what changes, a freeze of the fleet too; the stream ends with the rollout. Last-Event-ID is honoured: 204 when the client has seen the end.',
  })
  @ApiStream(rolloutSchema, 'A stream of the rollout.')
  @ApiProblems('rollout_not_found')
  async watch(@Param('id') id: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.#watch.stream(id, request, reply);
  }

  @Post(':id/retry')
  @ApiOperation({
    summary: 'Try the hosts again that failed, or were not reached',
    description: 'A rollout of its own, by the same plan; its `parent` is this one.',
  })
  @ApiAnswer(201, rolloutSchema, 'The new rollout. Location says where to follow it.')
  @ApiChange(
    'rollout_not_found',
    'rollout_state',
    'frozen',
    'plan_not_found',
    'plan_not_ready',
    'plan_expired',
    'plan_empty',
    'rollout_conflict',
  )
  async retry(
    @Param('id') id: string,
    @Body({ schema: retryRolloutBody }) body: z.output<typeof retryRolloutBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RolloutItem> {
    const { reason, ...details } = body;
    request.decision = { what: 'rollout.create', reason, details: { parent: id, ...details } };
    return this.#created(request, reply, (sql) => this.#rollouts.retry(sql, id, body, caller, sourceOf(request)));
  }

  async #created(
    request: FastifyRequest,
    reply: FastifyReply,
    create: (sql: Parameters<RolloutsService['create']>[0]) => Promise<RolloutItem>,
  ): Promise<RolloutItem> {
    const { body, replayed } = await this.#idempotency.run(request, reply, async (sql) => {
      const item = await create(sql);
      return { status: 201, body: item, location: `/api/v1/rollouts/${item.id}` };
    });
    if (!replayed) this.#rollouts.begin(body);
    return body;
  }
}
