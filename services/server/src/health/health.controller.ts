import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOperation, ApiSecurity, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import { ApiAnswer } from '../openapi/api-decorators.ts';
import { livenessSchema, readinessSchema } from './health.schema.ts';
import { HealthService } from './health.service.ts';

@ApiTags('server')
@ApiSecurity({})
@Controller()
export class HealthController {
  readonly #health: HealthService;
  constructor(@Inject(HealthService) health: HealthService) {
    this.#health = health;
  }

  @Get('healthz')
  @ApiOperation({ summary: 'The process runs', description: 'Liveness: says nothing of the database. Needs no token.' })
  @ApiAnswer(200, livenessSchema, 'It runs.')
  alive(): z.output<typeof livenessSchema> {
    return { status: 'ok' };
  }

  @Get('readyz')
  @ApiOperation({
    summary: 'The process can serve',
    description: 'Readiness: the database answers and the process is not stopping. Needs no token.',
  })
  @ApiAnswer(200, readinessSchema, 'It can serve.')
  @ApiAnswer(503, readinessSchema, 'It cannot serve now; the checks say why.')
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<z.output<typeof readinessSchema>> {
    const readiness = await this.#health.readiness();
    void reply.status(readiness.status === 'ready' ? 200 : 503);
    return readiness;
  }
}
