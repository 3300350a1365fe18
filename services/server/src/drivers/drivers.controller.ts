import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { DriverHostList } from '../api-types.ts';
import { driverParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { driverHostsQuery, driverHostsSchema } from './drivers.schema.ts';
import { DriversService } from './drivers.service.ts';

@ApiTags('drivers')
@Controller('drivers')
export class DriversController {
  readonly #drivers: DriversService;
  constructor(@Inject(DriversService) drivers: DriversService) {
    this.#drivers = drivers;
  }

  @Get(':name/hosts')
  @ApiOperation({
    summary: 'Which hosts run this driver',
    description:
      'Hosts with devices bound to it, also where it is built in or has another name than its kmod. Coverage is that of the facet `devices`.',
  })
  @ApiAnswer(200, driverHostsSchema, 'A page of hosts.')
  @ApiProblems('driver_unknown', 'selector_invalid', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  hosts(
    @Param('name', { schema: driverParam }) name: string,
    @Query({ schema: driverHostsQuery }) query: z.output<typeof driverHostsQuery>,
    @ReadScope() scope: HostScope,
  ): Promise<Omit<DriverHostList, 'freeze'>> {
    return this.#drivers.hosts(name, query, scope);
  }
}
