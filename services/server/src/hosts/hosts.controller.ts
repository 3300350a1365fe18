import type { Readable } from 'node:stream';
import { Body, Controller, Delete, Get, Inject, Param, Patch, Query, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Caller, CurrentCaller, ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { HostDeviceList, HostKmodList, HostList, LabelResult, RetiredHost } from '../api-types.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { exportFormatOf } from '../exports/export-format.ts';
import { Exports } from '../exports/exports.service.ts';
import { hostParam } from '../http/common.schema.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange, ApiExport, ApiProblems } from '../openapi/api-decorators.ts';
import type { HostAnswer } from './host.mapper.ts';
import { HostChangesService } from './host-changes.service.ts';
import { HostInventoryService } from './host-inventory.service.ts';
import {
  hostDevicesQuery,
  hostDevicesSchema,
  hostKmodsQuery,
  hostKmodsSchema,
  hostListQuery,
  hostListSchema,
  hostSchema,
  labelHostsBody,
  labelHostsSchema,
  retireHostBody,
  retireHostSchema,
} from './hosts.schema.ts';
import { HostsService } from './hosts.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@ApiTags('hosts')
@Controller('hosts')
export class HostsController {
  readonly #hosts: HostsService;
  readonly #inventory: HostInventoryService;
  readonly #changes: HostChangesService;
  readonly #idempotency: IdempotencyService;
  readonly #exports: Exports;

  constructor(
    @Inject(HostsService) hosts: HostsService,
    @Inject(HostInventoryService) inventory: HostInventoryService,
    @Inject(HostChangesService) changes: HostChangesService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
    @Inject(Exports) exports: Exports,
  ) {
    this.#exports = exports;
    this.#hosts = hosts;
    this.#inventory = inventory;
    this.#changes = changes;
    this.#idempotency = idempotency;
  }

  @Get()
  @ApiOperation({ summary: 'List hosts', description: 'By name, then id. Coverage is that of the facet `loaded`.' })
  @ApiAnswer(200, hostListSchema, 'A page of hosts.')
  @ApiExport()
  @ApiProblems('selector_invalid', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  list(
    @Query({ schema: hostListQuery }) query: z.output<typeof hostListQuery>,
    @ReadScope() scope: HostScope,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<HostList> | Promise<Readable> {
    const format = exportFormatOf(request);
    if (format !== undefined) return this.#exports.open(request, reply, format, this.#hosts.exportOf(query));
    return this.#hosts.list(query, scope);
  }

  @Patch()
  @ApiOperation({
    summary: 'Label hosts',
    description: 'Sets labels on the hosts that the body names; null removes one.',
  })
  @ApiAnswer(200, labelHostsSchema, 'What changed.')
  @ApiChange('selector_invalid', 'host_not_found', 'host_ambiguous', 'host_retired')
  async label(
    @Body({ schema: labelHostsBody }) body: z.output<typeof labelHostsBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<LabelResult> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#changes.label(sql, body, caller, sourceOf(request)),
    }));
    return done.body;
  }

  @Get(':host')
  @ApiOperation({ summary: 'Show a host', description: 'By id, or by name when only one host has it.' })
  @ApiAnswer(200, hostSchema, 'The host.')
  @ApiProblems('host_not_found', 'host_ambiguous', 'host_retired')
  show(@Param('host', { schema: hostParam }) host: string, @ReadScope() scope: HostScope): Promise<HostAnswer> {
    return this.#hosts.show(host, scope);
  }

  @Delete(':host')
  @ApiOperation({ summary: 'Retire a host', description: 'For good: a machine that enrols again is a new host.' })
  @ApiAnswer(200, retireHostSchema, 'The host is retired.')
  @ApiChange('host_not_found', 'host_ambiguous', 'host_retired')
  async retire(
    @Param('host', { schema: hostParam }) host: string,
    @Body({ schema: retireHostBody }) body: z.output<typeof retireHostBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Answer<RetiredHost> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#changes.retire(sql, host, caller, sourceOf(request), body.reason ?? null),
    }));
    await this.#changes.announceRetired(done.body.host.id);
    return done.body;
  }

  @Get(':host/kmods')
  @ApiOperation({
    summary: 'Kmods of a host',
    description: 'As last reported, by name; `facets` says how fresh that is.',
  })
  @ApiAnswer(200, hostKmodsSchema, 'A page of kmods.')
  @ApiProblems('host_not_found', 'host_ambiguous', 'host_retired', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  kmods(
    @Param('host', { schema: hostParam }) host: string,
    @Query({ schema: hostKmodsQuery }) query: z.output<typeof hostKmodsQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<HostKmodList> {
    return this.#inventory.kmods(host, query, scope);
  }

  @Get(':host/devices')
  @ApiOperation({
    summary: 'Devices of a host',
    description: 'As last reported, by bus and address, with their drivers.',
  })
  @ApiAnswer(200, hostDevicesSchema, 'A page of devices.')
  @ApiProblems('host_not_found', 'host_ambiguous', 'host_retired', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  devices(
    @Param('host', { schema: hostParam }) host: string,
    @Query({ schema: hostDevicesQuery }) query: z.output<typeof hostDevicesQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<HostDeviceList> {
    return this.#inventory.devices(host, query, scope);
  }
}
