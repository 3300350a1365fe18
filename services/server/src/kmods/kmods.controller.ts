import type { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { Kmod, KmodHostList, KmodList } from '../api-types.ts';
import { exportFormatOf } from '../exports/export-format.ts';
import { Exports } from '../exports/exports.service.ts';
import { kmodParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiExport, ApiProblems } from '../openapi/api-decorators.ts';
import {
  kmodHostsQuery,
  kmodHostsSchema,
  kmodListQuery,
  kmodListSchema,
  kmodQuery,
  kmodSchema,
} from './kmods.schema.ts';
import { KmodsService } from './kmods.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@ApiTags('kmods')
@Controller('kmods')
export class KmodsController {
  readonly #kmods: KmodsService;
  readonly #exports: Exports;
  constructor(@Inject(KmodsService) kmods: KmodsService, @Inject(Exports) exports: Exports) {
    this.#kmods = kmods;
    this.#exports = exports;
  }

  @Get()
  @ApiOperation({
    summary: 'List kmods',
    description: 'By name, with the number of hosts by presence. Coverage is that of the facet `loaded`.',
  })
  @ApiAnswer(200, kmodListSchema, 'A page of kmods.')
  @ApiExport()
  @ApiProblems('selector_invalid', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  list(
    @Query({ schema: kmodListQuery }) query: z.output<typeof kmodListQuery>,
    @ReadScope() scope: HostScope,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<KmodList> | Promise<Readable> {
    const format = exportFormatOf(request);
    if (format !== undefined) return this.#exports.open(request, reply, format, this.#kmods.exportOf(query));
    return this.#kmods.list(query, scope);
  }

  @Get(':name')
  @ApiOperation({ summary: 'Show a kmod', description: 'By name, alias or driver.' })
  @ApiAnswer(200, kmodSchema, 'The kmod over the fleet.')
  @ApiProblems('kmod_name_invalid', 'kmod_unknown', 'selector_invalid', 'query_invalid')
  show(
    @Param('name', { schema: kmodParam }) name: string,
    @Query({ schema: kmodQuery }) query: z.output<typeof kmodQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<Kmod> {
    return this.#kmods.show(name, query, scope);
  }

  @Get(':name/hosts')
  @ApiOperation({
    summary: 'Which hosts run this kmod',
    description:
      'By host name, then id. `counts` counts what is known: hosts whose facts are fresh; every other host is `unknown`, and `lastSeen` says what those last reported.',
  })
  @ApiAnswer(200, kmodHostsSchema, 'A page of hosts.')
  @ApiExport()
  @ApiProblems(
    'kmod_name_invalid',
    'kmod_unknown',
    'selector_invalid',
    'limit_invalid',
    'cursor_invalid',
    'query_invalid',
  )
  hosts(
    @Param('name', { schema: kmodParam }) name: string,
    @Query({ schema: kmodHostsQuery }) query: z.output<typeof kmodHostsQuery>,
    @ReadScope() scope: HostScope,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<KmodHostList> | Promise<Readable> {
    const format = exportFormatOf(request);
    if (format !== undefined) return this.#exports.open(request, reply, format, this.#kmods.exportHosts(name, query));
    return this.#kmods.hosts(name, query, scope);
  }
}
