import { Body, Controller, Get, Inject, Param, Post, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Caller, CurrentCaller, ReadScope } from '../../access/caller.ts';
import type { HostScope } from '../../access/host-scope.ts';
import type { PlanTargetList, RolloutPlanList } from '../../api-types.ts';
import { sourceOf } from '../../audit/audit-source.ts';
import { IdempotencyService } from '../../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiProblems } from '../../openapi/api-decorators.ts';
import { CursorService } from '../../paging/cursor.service.ts';
import type { CreatePlan, PlanItem } from './plan.model.ts';
import {
  createPlanBody,
  planListQuery,
  planListSchema,
  planSchema,
  planTargetListSchema,
  planTargetQuery,
} from './plan.schema.ts';
import { toPlanSummary } from './plan.view.ts';
import { type CreatedPlan, planDecision, PlansService } from './plans.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@ApiTags('rollouts')
@Controller('rollout-plans')
export class PlansController {
  readonly #plans: PlansService;
  readonly #idempotency: IdempotencyService;
  readonly #cursors: CursorService;

  constructor(
    @Inject(PlansService) plans: PlansService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(CursorService) cursors: CursorService,
  ) {
    this.#plans = plans;
    this.#idempotency = idempotency;
    this.#cursors = cursors;
  }

  @Post()
  @ApiOperation({
    summary: 'Ask many hosts what they would do',
    description:
      'A dry run on each host that is connected; nothing is touched. Ready once all have answered, or the time for answers is over: a host that did not answer is `unknown`. The hosts are those that match now, and stay so.',
  })
  @ApiAnswer(202, planSchema, 'Stored. Location says where to follow it.')
  @ApiChange(
    'kmod_name_invalid',
    'selector_invalid',
    'host_not_found',
    'host_ambiguous',
    'host_retired',
    'frozen',
    'database_behind',
    'plan_empty',
    'plan_too_large',
    'rollout_conflict',
  )
  async create(
    @Body({ schema: createPlanBody }) body: CreatePlan,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<PlanItem> {
    request.decision = planDecision(body);
    let created: CreatedPlan | undefined;
    const { body: item } = await this.#idempotency.run(request, reply, async (sql) => {
      created = await this.#plans.create(sql, body, caller, sourceOf(request));
      return { status: 202, body: created.plan, location: `/api/v1/rollout-plans/${created.plan.id}` };
    });
    if (created !== undefined) this.#plans.begin(created);
    return item;
  }

  @Get()
  @ApiOperation({
    summary: 'Plans, newest first',
    description: 'Those alone of which you may read all hosts.',
  })
  @ApiAnswer(200, planListSchema, 'A page of plans.')
  @ApiProblems('query_invalid', 'limit_invalid', 'cursor_invalid')
  async list(
    @Query({ schema: planListQuery }) { limit, cursor }: z.output<typeof planListQuery>,
    @ReadScope() hosts: HostScope,
  ): Answer<RolloutPlanList> {
    const scope = { list: 'rollout-plans' };
    const position = await this.#cursors.open(scope, cursor);
    const [createdAt, id] = position?.key ?? [];
    const after = createdAt === undefined ? undefined : { createdAt: String(createdAt), id: String(id) };
    const { rows, asOf } = await this.#plans.list(after, hosts, limit);
    const shown = rows.slice(0, limit);
    const last = rows.length > limit ? shown.at(-1) : undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: shown.map(toPlanSummary),
      nextCursor:
        last === undefined ? null : await this.#cursors.seal(scope, { key: [last.created_at_text, last.id], asOfMs }),
      asOf: asOf.toISOString(),
    };
  }

  @Get(':id')
  @ApiOperation({ summary: 'One plan', description: 'Before it is ready: how many hosts have answered so far.' })
  @ApiAnswer(200, planSchema, 'The plan.')
  @ApiProblems('plan_not_found')
  show(@Param('id') id: string, @ReadScope() scope: HostScope): Promise<PlanItem> {
    return this.#plans.get(id, scope);
  }

  @Get(':id/targets')
  @ApiOperation({
    summary: 'What each host of a plan would do',
    description: 'By host name, then id. `code` and `class` of hosts that were asked are known once the plan is ready.',
  })
  @ApiAnswer(200, planTargetListSchema, 'A page of hosts.')
  @ApiProblems('plan_not_found', 'query_invalid', 'limit_invalid', 'cursor_invalid')
  async targets(
    @Param('id') id: string,
    @Query({ schema: planTargetQuery }) query: z.output<typeof planTargetQuery>,
    @ReadScope() hosts: HostScope,
  ): Answer<PlanTargetList> {
    const { limit, cursor, ...filter } = query;
    const scope = { list: 'rollout-plan-targets', plan: id, ...filter };
    const position = await this.#cursors.open(scope, cursor);
    const [name, hostId] = position?.key ?? [];
    const after = name === undefined ? undefined : { name: String(name), id: String(hostId) };
    const { items, asOf } = await this.#plans.targets(id, filter, after, hosts, limit);
    const shown = items.slice(0, limit);
    const last = items.length > limit ? shown.at(-1)?.host : undefined;
    const asOfMs = position?.asOfMs ?? asOf.getTime();
    return {
      items: shown,
      nextCursor: last === undefined ? null : await this.#cursors.seal(scope, { key: [last.name, last.id], asOfMs }),
      asOf: asOf.toISOString(),
    };
  }
}
