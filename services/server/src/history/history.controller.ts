import { Controller, Get, Inject, Param, Query } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { ReadScope } from '../access/caller.ts';
import type { HostScope } from '../access/host-scope.ts';
import type { HostPast, KmodPast } from '../api-types.ts';
import { hostParam, kmodParam } from '../http/common.schema.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { hostPastQuery, hostPastSchema, kmodPastQuery, kmodPastSchema } from './history.schema.ts';
import { HostPastService } from './host-past.service.ts';
import { KmodPastService } from './kmod-past.service.ts';

type Answer<T> = Promise<Omit<T, 'freeze'>>;

@Controller()
export class HistoryController {
  readonly #hosts: HostPastService;
  readonly #kmods: KmodPastService;
  constructor(@Inject(HostPastService) hosts: HostPastService, @Inject(KmodPastService) kmods: KmodPastService) {
    this.#hosts = hosts;
    this.#kmods = kmods;
  }

  @Get('hosts/:host/past')
  @ApiTags('hosts')
  @ApiOperation({
    summary: 'What a host had loaded at some time',
    description:
      'What it has loaded now, with everything that came, went or changed since taken back. `seen` says whether it was connected then; if not, it was so at `seenAt`.',
  })
  @ApiAnswer(200, hostPastSchema, 'The host at that time.')
  @ApiProblems('host_not_found', 'host_ambiguous', 'host_retired', 'query_invalid', 'history_not_kept')
  host(
    @Param('host', { schema: hostParam }) host: string,
    @Query({ schema: hostPastQuery }) query: z.output<typeof hostPastQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<HostPast> {
    return this.#hosts.past(host, query.at, scope);
  }

  @Get('kmods/:name/past')
  @ApiTags('kmods')
  @ApiOperation({
    summary: 'Which hosts had this kmod loaded at some time',
    description:
      'By host name, then id, over the hosts that are not retired now. `counts` counts hosts that were connected then; every other host is `unknown`, and `lastSeen` says how those were when they were last seen before. The selector is about the hosts as they are now.',
  })
  @ApiAnswer(200, kmodPastSchema, 'A page of hosts.')
  @ApiProblems(
    'kmod_name_invalid',
    'kmod_unknown',
    'selector_invalid',
    'limit_invalid',
    'cursor_invalid',
    'query_invalid',
    'history_not_kept',
  )
  kmod(
    @Param('name', { schema: kmodParam }) name: string,
    @Query({ schema: kmodPastQuery }) query: z.output<typeof kmodPastQuery>,
    @ReadScope() scope: HostScope,
  ): Answer<KmodPast> {
    return this.#kmods.past(name, query, scope);
  }
}
