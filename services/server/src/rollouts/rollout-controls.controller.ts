import { Body, Controller, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Caller, CurrentCaller } from '../access/caller.ts';
import { scopeOf } from '../access/decision.ts';
import type { ControlledRollout } from '../api-types.ts';
import { sourceOf } from '../audit/audit-source.ts';
import type { Sql } from '../database/database.service.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange } from '../openapi/api-decorators.ts';
import type { ControlKind } from './engine/step-input.ts';
import { approveRolloutBody, controlRolloutBody, controlRolloutSchema } from './rollouts.schema.ts';
import { type AskedControl, RolloutsService } from './rollouts.service.ts';

type ControlBody = z.output<typeof controlRolloutBody>;
type Answer = Promise<Omit<ControlledRollout, 'freeze'>>;

/** Documents a control. */
function Control(summary: string, description?: string): MethodDecorator {
  return (target, key, descriptor) => {
    ApiOperation({ summary, ...(description === undefined ? {} : { description }) })(target, key, descriptor);
    ApiAnswer(202, controlRolloutSchema, 'Asked for; `taken` says whether it is carried out already.')(
      target,
      key,
      descriptor,
    );
    ApiChange('rollout_not_found', 'rollout_state')(target, key, descriptor);
  };
}

/** What people ask of a rollout under way. */
@ApiTags('rollouts')
@Controller('rollouts/:id')
export class RolloutControlsController {
  readonly #rollouts: RolloutsService;
  readonly #idempotency: IdempotencyService;

  constructor(
    @Inject(RolloutsService) rollouts: RolloutsService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
  ) {
    this.#rollouts = rollouts;
    this.#idempotency = idempotency;
  }

  @Post('pause')
  @Control('Stop sending', 'Nothing is sent from the answer on; what was sent goes on at its host.')
  pause(
    @Param('id') id: string,
    @Body({ schema: controlRolloutBody }) body: ControlBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    return this.#ask(id, 'pause', body, caller, request, reply);
  }

  @Post('resume')
  @Control('Go on', 'What has failed so far is accepted: only more of it exceeds the budget again.')
  resume(
    @Param('id') id: string,
    @Body({ schema: controlRolloutBody }) body: ControlBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    return this.#ask(id, 'resume', body, caller, request, reply);
  }

  @Post('promote')
  @Control('Skip the bake of the wave', 'Its hosts are looked at all the same before the next wave begins.')
  promote(
    @Param('id') id: string,
    @Body({ schema: controlRolloutBody }) body: ControlBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    return this.#ask(id, 'promote', body, caller, request, reply);
  }

  @Post('abort')
  @Control('End it', 'Nothing begins any more; it is over when what was sent has ended. Nothing is put back.')
  abort(
    @Param('id') id: string,
    @Body({ schema: controlRolloutBody }) body: ControlBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    return this.#ask(id, 'abort', body, caller, request, reply);
  }

  @Post('roll-back')
  @Control(
    'Put back what it changed',
    'On the hosts that said that they were changed, the last first; also after its end.',
  )
  rollBack(
    @Param('id') id: string,
    @Body({ schema: controlRolloutBody }) body: ControlBody,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    return this.#ask(id, 'roll_back', body, caller, request, reply);
  }

  @Post('approve')
  @ApiOperation({
    summary: 'Say yes to a rollout that somebody else asked for',
    description: '`hash` is the hash of what was looked at.',
  })
  @ApiAnswer(202, controlRolloutSchema, 'Approved; `taken` says whether it has begun already.')
  @ApiChange('rollout_not_found', 'rollout_state', 'rollout_changed', 'approval_own')
  async approve(
    @Param('id') id: string,
    @Body({ schema: approveRolloutBody }) body: z.output<typeof approveRolloutBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer {
    request.decision = { what: 'rollout.approve', object: id, reason: body.reason, details: { hash: body.hash } };
    return this.#run(caller, request, reply, (sql) => this.#rollouts.approve(sql, id, body, caller, sourceOf(request)));
  }

  #ask(
    id: string,
    kind: Exclude<ControlKind, 'approve'>,
    { reason }: ControlBody,
    caller: Caller,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Answer {
    request.decision = { what: `rollout.${kind}`, object: id, reason };
    return this.#run(caller, request, reply, (sql) =>
      this.#rollouts.ask(sql, id, kind, reason ?? null, caller, sourceOf(request)),
    );
  }

  /** What is stored for a repetition is what was asked; how it stands is looked up each time. */
  async #run(
    caller: Caller,
    request: FastifyRequest,
    reply: FastifyReply,
    ask: (sql: Sql) => Promise<AskedControl>,
  ): Answer {
    const { body } = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 202,
      body: await ask(sql),
    }));
    return this.#rollouts.settle(body, scopeOf(caller, 'read'));
  }
}
