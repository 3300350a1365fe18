import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import { Metrics } from './metrics.service.ts';

/** Prometheus text format; who may scrape is in access/route-table.ts. */
@ApiExcludeController()
@Controller('metrics')
export class MetricsController {
  readonly #metrics: Metrics;
  constructor(@Inject(Metrics) metrics: Metrics) {
    this.#metrics = metrics;
  }

  @Get()
  @Header('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
  scrape(): Promise<string> {
    return this.#metrics.registry.metrics();
  }
}
