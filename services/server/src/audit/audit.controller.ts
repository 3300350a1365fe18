import { Controller, Get, Inject, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ApiAnswer, ApiProblems, ApiStream } from '../openapi/api-decorators.ts';
import { formatOf, OpenStreams } from '../streaming/open-streams.ts';
import { AuditLog } from './audit-log.service.ts';
import { auditListQuery, auditListSchema, auditVerifyLineSchema } from './audit.schema.ts';

/** Progress is said this often at most. */
const PROGRESS_MS = 500;

@ApiTags('audit')
@Controller('audit')
export class AuditController {
  readonly #log: AuditLog;
  readonly #streams: OpenStreams;

  constructor(@Inject(AuditLog) log: AuditLog, @Inject(OpenStreams) streams: OpenStreams) {
    this.#log = log;
    this.#streams = streams;
  }

  @Get()
  @ApiOperation({
    summary: 'What was decided, newest first',
    description: 'By whom, from where, about which hosts, and with which outcome.',
  })
  @ApiAnswer(200, auditListSchema, 'A page of the audit log.')
  @ApiProblems(
    'query_invalid',
    'limit_invalid',
    'cursor_invalid',
    'kmod_name_invalid',
    'kmod_unknown',
    'actor_unknown',
    'host_not_found',
    'host_ambiguous',
    'host_retired',
  )
  list(
    @Query({ schema: auditListQuery }) query: z.output<typeof auditListQuery>,
  ): Promise<Omit<z.output<typeof auditListSchema>, 'freeze'>> {
    return this.#log.page(query);
  }

  @Get('verify')
  @ApiOperation({
    summary: 'Verify the whole audit log',
    description:
      'Reads every row and seal in one snapshot. Streamed (text/event-stream, or application/x-ndjson): `progress`, and at the end `report`.',
  })
  @ApiStream(auditVerifyLineSchema, 'A stream of these.')
  @ApiProblems()
  async verify(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    const over = new AbortController();
    let saidMs = -Infinity;
    let stream: ReturnType<OpenStreams['open']> | undefined;
    // Opened with the first progress: what is refused beforehand is an ordinary answer.
    const opened = () => {
      if (stream === undefined) {
        stream = this.#streams.open(reply, formatOf(request));
        stream.closed.addEventListener('abort', () => over.abort());
      }
      return stream;
    };
    const report = await this.#log
      .verify({
        signal: over.signal,
        onProgress: async ({ rows, of }) => {
          const now = performance.now();
          if (now - saidMs < PROGRESS_MS) return;
          saidMs = now;
          await opened().send({ event: 'progress', data: { rows, of } });
        },
      })
      .catch((error: unknown) => {
        if (over.signal.aborted) return undefined;
        throw error;
      });
    if (report === undefined) return;
    await opened().send({ event: 'report', data: report });
    opened().end();
  }
}
