import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { HostDiff } from '../api-types.ts';
import { hostParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { hostDiffQuery, hostDiffSchema } from './host-diff.schema.ts';
import { HostDiffService } from './host-diff.service.ts';

@ApiTags('hosts')
@Controller('hosts')
export class HostDiffController {
  readonly #diffs: HostDiffService;
  constructor(@Inject(HostDiffService) diffs: HostDiffService) {
    this.#diffs = diffs;
  }

  @Get(':host/diff')
  @ApiOperation({
    summary: 'In what two hosts differ',
    description:
      'Kernel and system, loaded kmods with their builds, parameters, configuration and devices, by what both last reported. What one of them never reported is not compared.',
  })
  @ApiAnswer(200, hostDiffSchema, 'What differs; `a` is the host of the path, `b` the other one.')
  @ApiProblems('host_not_found', 'host_ambiguous', 'host_retired', 'query_invalid')
  diff(
    @Param('host', { schema: hostParam }) host: string,
    @Query({ schema: hostDiffQuery }) query: z.output<typeof hostDiffQuery>,
    @ReadScope() scope: HostScope,
  ): Promise<Omit<HostDiff, 'freeze'>> {
    return this.#diffs.diff(host, query.with, scope);
  }
}
