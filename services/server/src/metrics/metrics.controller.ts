import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { Metrics } from './metrics.service.ts';

/** Prometheus text format; who may scrape is in access/route-table.ts. */
@ApiTags('server')
@Controller('metrics')
export class MetricsController {
  readonly #metrics: Metrics;
  constructor(@Inject(Metrics) metrics: Metrics) {
    this.#metrics = metrics;
  }

  @Get()
  @ApiOperation({
    summary: 'Figures for Prometheus',
    description: 'Needs no token while the listener is on loopback without a proxy in front.',
  })
  @ApiOkResponse({
    description: 'Prometheus text format.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  scrape(): Promise<string> {
    return this.#metrics.registry.metrics();
  }
}
