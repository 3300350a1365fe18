import { Body, Controller, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { sourceOf } from '../audit/audit-source.ts';
import type { Sql } from '../database/database.service.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange } from '../openapi/api-decorators.ts';
import { freezeAnswerSchema, freezeBody, thawBody } from './freeze.schema.ts';
import { FreezeService, type Freeze } from './freeze.service.ts';

@ApiTags('freeze')
@Controller()
export class FreezeController {
  readonly #freeze: FreezeService;
  readonly #idempotency: IdempotencyService;

  constructor(
    @Inject(FreezeService) freeze: FreezeService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
  ) {
    this.#freeze = freeze;
    this.#idempotency = idempotency;
  }

  @Post('freeze')
  @ApiOperation({
    summary: 'Stop sending actions, to every host',
    description: 'From the answer on no action is sent to any host. What a host has already begun goes on.',
  })
  @ApiAnswer(200, freezeAnswerSchema, 'The freeze that holds.')
  @ApiChange()
  freeze(
    @Body({ schema: freezeBody }) body: z.output<typeof freezeBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ freeze: Freeze }> {
    return this.#change(request, reply, (sql) => this.#freeze.freeze(sql, sourceOf(request), body.reason));
  }

  @Post('thaw')
  @ApiOperation({ summary: 'End the freeze', description: 'What waited and has not expired is sent.' })
  @ApiAnswer(200, freezeAnswerSchema, 'No freeze holds.')
  @ApiChange()
  thaw(
    @Body({ schema: thawBody }) _body: z.output<typeof thawBody>,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ freeze: Freeze }> {
    return this.#change(request, reply, (sql) => this.#freeze.thaw(sql, sourceOf(request)));
  }

  /** The answer says what holds now, also when an old request is repeated. */
  async #change(
    request: FastifyRequest,
    reply: FastifyReply,
    change: (sql: Sql) => Promise<Freeze>,
  ): Promise<{ freeze: Freeze }> {
    await this.#idempotency.run(request, reply, async (sql) => {
      await change(sql);
      return { status: 200, body: {} };
    });
    await this.#freeze.announce();
    return { freeze: await this.#freeze.current() };
  }
}
