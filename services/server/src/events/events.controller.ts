import type { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { ChangedHostList, EventList, HostEventList } from '../api-types.ts';
import { type ExportFormat, exportFormatOf } from '../exports/export-format.ts';
import { Exports } from '../exports/exports.service.ts';
import { hostParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiExport, ApiProblems, ApiStream } from '../openapi/api-decorators.ts';
import { EventWatch } from './event-watch.service.ts';
import {
  eventHostsQuery,
  eventHostsSchema,
  eventListQuery,
  eventListSchema,
  eventWatchLineSchema,
  eventWatchQuery,
  hostEventsQuery,
  hostEventsSchema,
} from './events.schema.ts';
import { EventsService } from './events.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

const HOST_PROBLEMS = [
  'host_not_found',
  'host_ambiguous',
  'host_retired',
  'kmod_name_invalid',
  'kmod_unknown',
] as const;
const PAGE_PROBLEMS = ['limit_invalid', 'cursor_invalid', 'query_invalid'] as const;

@ApiTags('events')
@Controller()
export class EventsController {
  readonly #events: EventsService;
  readonly #watch: EventWatch;

  readonly #exports: Exports;

  constructor(
    @Inject(EventsService) events: EventsService,
    @Inject(EventWatch) watch: EventWatch,
    @Inject(Exports) exports: Exports,
  ) {
    this.#events = events;
    this.#watch = watch;
    this.#exports = exports;
  }

  @Get('events')
  @ApiOperation({
    summary: 'What came and went in the fleet, newest first',
    description:
      '`actionId` says which action of ours did it; null: none of ours. Coverage is that of the facet `loaded`.',
  })
  @ApiAnswer(200, eventListSchema, 'A page of events.')
  @ApiExport()
  @ApiProblems(...HOST_PROBLEMS, ...PAGE_PROBLEMS, 'selector_invalid')
  list(
    @Query({ schema: eventListQuery }) query: z.output<typeof eventListQuery>,
    @ReadScope() scope: HostScope,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<EventList> | Promise<Readable> {
    const format = exportFormatOf(request);
    if (format !== undefined) return this.#export(query, scope, request, reply, format);
    return this.#events.list(query, scope);
  }

  @Get('events/hosts')
  @ApiOperation({
    summary: 'Which hosts changed',
    description:
      'Hosts with at least one event, by name, then id, with what it was. Without `since`: of the last 24 hours.',
  })
  @ApiAnswer(200, eventHostsSchema, 'A page of hosts.')
  @ApiProblems(...HOST_PROBLEMS, ...PAGE_PROBLEMS, 'selector_invalid')
  changedHosts(
    @Query({ schema: eventHostsQuery }) query: z.output<typeof eventHostsQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<ChangedHostList> {
    return this.#events.changedHosts(query, scope);
  }

  @Get('events/watch')
  @ApiOperation({
    summary: 'Follow events as they are stored',
    description:
      'Streamed (text/event-stream, or application/x-ndjson): `start`, each `kmod_event`, and now and then `position`. With `Last-Event-ID` everything that was stored since, without a gap, for a day.',
  })
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The id of the last event that was read.' })
  @ApiStream(eventWatchLineSchema, 'A stream of these.')
  @ApiProblems(...HOST_PROBLEMS, 'selector_invalid', 'query_invalid', 'cursor_invalid')
  watch(
    @Query({ schema: eventWatchQuery }) query: z.output<typeof eventWatchQuery>,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    return this.#watch.stream(query, request, reply);
  }

  @Get('hosts/:host/events')
  @ApiOperation({
    summary: 'What came and went on a host, newest first',
    description: 'As GET /events of this host. `actionId` says which action of ours did it; null: none of ours.',
  })
  @ApiAnswer(200, hostEventsSchema, 'A page of events.')
  @ApiProblems(...HOST_PROBLEMS, ...PAGE_PROBLEMS)
  ofHost(
    @Param('host', { schema: hostParam }) host: string,
    @Query({ schema: hostEventsQuery }) query: z.output<typeof hostEventsQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<HostEventList> {
    return this.#events.ofHost(host, query, scope);
  }

  async #export(
    query: z.output<typeof eventListQuery>,
    scope: HostScope,
    request: FastifyRequest,
    reply: FastifyReply,
    format: ExportFormat,
  ): Promise<Readable> {
    return this.#exports.open(request, reply, format, await this.#events.exportOf(query, scope));
  }
}
