import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { KmodSkew, KmodSkewList } from '../api-types.ts';
import { kmodParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { skewListQuery, skewListSchema, skewQuery, skewSchema } from './skew.schema.ts';
import { SkewService } from './skew.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@ApiTags('kmods')
@Controller()
export class SkewController {
  readonly #skew: SkewService;
  constructor(@Inject(SkewService) skew: SkewService) {
    this.#skew = skew;
  }

  // Not below /kmods: there a kmod may have any name.
  @Get('skew/kmods')
  @ApiOperation({
    summary: 'Kmods that are not the same where they should be',
    description:
      'By name: loaded in several builds, versions or by several signers under one kernel; loaded, and not the file on disk; out-of-tree; unsigned. Coverage is that of `loaded`.',
  })
  @ApiAnswer(200, skewListSchema, 'A page of kmods.')
  @ApiProblems('selector_invalid', 'limit_invalid', 'cursor_invalid', 'query_invalid')
  list(
    @Query({ schema: skewListQuery }) query: z.output<typeof skewListQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<KmodSkewList> {
    return this.#skew.list(query, scope);
  }

  @Get('kmods/:name/skew')
  @ApiOperation({
    summary: 'In which ways a kmod is loaded',
    description:
      'By kernel: builds, versions, taint, signer and the file on disk, with hosts; and parameters that differ.',
  })
  @ApiAnswer(200, skewSchema, 'A page of the ways.')
  @ApiProblems(
    'kmod_name_invalid',
    'kmod_unknown',
    'selector_invalid',
    'limit_invalid',
    'cursor_invalid',
    'query_invalid',
  )
  show(
    @Param('name', { schema: kmodParam }) name: string,
    @Query({ schema: skewQuery }) query: z.output<typeof skewQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<KmodSkew> {
    return this.#skew.show(name, query, scope);
  }
}
