import { Body, Controller, HttpCode, Inject, Param, Post, Req, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import { type Caller, CurrentCaller } from '../access/caller.ts';
import type { ReleasedHost, RevokedHost } from '../api-types.ts';
import { sourceOf } from '../audit/audit-source.ts';
import { hostParam } from '../http/common.schema.ts';
import { IdempotencyService } from '../idempotency/idempotency.service.ts';
import { ApiAnswer, ApiChange } from '../openapi/api-decorators.ts';
import { HostAccessService } from './host-access.service.ts';
import { releaseHostBody, releaseHostSchema, revokeHostBody, revokeHostSchema } from './host-access.schema.ts';

@ApiTags('hosts')
@Controller('hosts')
export class HostAccessController {
  readonly #access: HostAccessService;
  readonly #idempotency: IdempotencyService;

  constructor(
    @Inject(HostAccessService) access: HostAccessService,
    @Inject(IdempotencyService) idempotency: IdempotencyService,
  ) {
    this.#access = access;
    this.#idempotency = idempotency;
  }

  @Post(':host/revoke')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Revoke a host',
    description:
      'Its key and certificates are good for nothing from now on; its streams end within 5 seconds on every replica. For good: the machine has to join anew, as a new host.',
  })
  @ApiAnswer(200, revokeHostSchema, 'The host is revoked.')
  @ApiChange('host_not_found', 'host_ambiguous', 'host_retired', 'host_revoked')
  async revoke(
    @Param('host', { schema: hostParam }) host: string,
    @Body({ schema: revokeHostBody }) body: z.output<typeof revokeHostBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<RevokedHost, 'freeze'>> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#access.revoke(sql, host, caller, sourceOf(request), body.reason),
    }));
    await this.#access.announceRevoked(done.body.host.id);
    return done.body;
  }

  @Post(':host/quarantine/release')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Let a host out of quarantine',
    description:
      'After somebody has seen to it that one machine alone has its identity. The answer has the machines that were seen with it. When two still have it, the host is quarantined again.',
  })
  @ApiAnswer(200, releaseHostSchema, 'The host may act again.')
  @ApiChange('host_not_found', 'host_ambiguous', 'host_retired', 'host_revoked', 'host_not_quarantined')
  async release(
    @Param('host', { schema: hostParam }) host: string,
    @Body({ schema: releaseHostBody }) body: z.output<typeof releaseHostBody>,
    @CurrentCaller() caller: Caller,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<Omit<ReleasedHost, 'freeze'>> {
    const done = await this.#idempotency.run(request, reply, async (sql) => ({
      status: 200,
      body: await this.#access.release(sql, host, caller, sourceOf(request), body.reason ?? null),
    }));
    await this.#access.announceReleased(done.body.host.id);
    return done.body;
  }
}
