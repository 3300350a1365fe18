import { randomUUID } from 'node:crypto';
import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { ApiProblems, ApiStream, BODY_PROBLEMS } from '../openapi/api-decorators.ts';
import { OpenStreams, formatOf } from '../streaming/open-streams.ts';
import { QueriesService } from './queries.service.ts';
import { queryBody, queryLineSchema } from './queries.schema.ts';
import { QueryTargets } from './query-targets.service.ts';

const DEFAULT_TIMEOUT_MS = 2_000;

@ApiTags('queries')
@Controller('queries')
export class QueriesController {
  readonly #queries: QueriesService;
  readonly #targets: QueryTargets;
  readonly #streams: OpenStreams;
  readonly #audit: AuditService;

  constructor(
    @Inject(QueriesService) queries: QueriesService,
    @Inject(QueryTargets) targets: QueryTargets,
    @Inject(OpenStreams) streams: OpenStreams,
    @Inject(AuditService) audit: AuditService,
  ) {
    this.#queries = queries;
    this.#targets = targets;
    this.#streams = streams;
    this.#audit = audit;
  }

  @Post()
  @HttpCode(200)
  @ApiOperation({
    summary: 'Ask hosts now',
    description:
      'Goes to every host that matches and is connected; answers are streamed as they come (text/event-stream, or application/x-ndjson): `start`, one `answer` a host, `end` with who did not answer and why. Stores nothing.',
  })
  @ApiStream(queryLineSchema, 'A stream of these.')
  @ApiProblems(
    'cross_site',
    ...BODY_PROBLEMS,
    'kmod_name_invalid',
    'selector_invalid',
    'host_not_found',
    'host_ambiguous',
    'host_retired',
  )
  async ask(
    @Body({ schema: queryBody }) body: z.output<typeof queryBody>,
    @ReadScope() scope: HostScope,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { hosts, unknown, asOf, freeze } = await this.#targets.resolve(body, scope);
    const queryId = randomUUID();
    const ids = hosts.map((host) => host.id);
    const selector = body.all === true ? '--all' : body.selector;
    const asked = { object: queryId, selector, hosts: ids, details: { kmods: body.kmods } };
    await this.#audit.recordAlone(sourceOf(request), { what: 'inventory.ask', ...asked });
    const over = new AbortController();
    try {
      const kmods = [...new Set(body.kmods)];
      const live = this.#queries.ask(
        { queryId, kmods, health: body.health ?? false, hosts, timeoutMs: body.timeoutMs ?? DEFAULT_TIMEOUT_MS },
        over.signal,
      );
      const stream = this.#streams.open(reply, formatOf(request));
      stream.closed.addEventListener('abort', () => over.abort());
      await stream.send({
        event: 'start',
        data: { queryId, targets: hosts.length, unknown, asOf: asOf.toISOString(), freeze },
      });
      for await (const answers of live.answers())
        await stream.send(...answers.map((data) => ({ event: 'answer', data })));
      await stream.send({ event: 'end', data: live.end() });
      stream.end();
    } finally {
      over.abort();
    }
  }
}
