import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { hostEventsQuery, hostEventsSchema } from './host-events.schema.ts';
import { HostEventsService } from './host-events.service.ts';

@ApiTags('hosts')
@Controller('hosts')
export class HostEventsController {
  readonly #events: HostEventsService;
  constructor(@Inject(HostEventsService) events: HostEventsService) {
    this.#events = events;
  }

  @Get(':host/events')
  @ApiOperation({
    summary: 'What came and went on a host, newest first',
    description: '`actionId` says which action of ours did it; null: none of ours.',
  })
  @ApiAnswer(200, hostEventsSchema, 'A page of events.')
  @ApiProblems(
    'host_not_found',
    'host_ambiguous',
    'host_retired',
    'limit_invalid',
    'cursor_invalid',
    'query_invalid',
    'kmod_name_invalid',
  )
  list(
    @Param('host') host: string,
    @Query({ schema: hostEventsQuery }) query: z.output<typeof hostEventsQuery>,
    @ReadScope() scope: HostScope,
  ): Promise<Omit<z.output<typeof hostEventsSchema>, 'freeze'>> {
    return this.#events.page(host, query, scope);
  }
}
