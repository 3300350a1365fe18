import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { AccessModule } from './access/access.module.ts';
import { ConfigModule } from './config/config.module.ts';
import type { ServerConfig } from './config/server-config.ts';
import { DatabaseModule } from './database/database.module.ts';
import { HealthModule } from './health/health.module.ts';
import { EnvelopeInterceptor } from './http/envelope.interceptor.ts';
import { FREEZE_READER } from './http/freeze-reader.ts';
import { ProblemFilter } from './http/problem.filter.ts';
import { ValidationPipe } from './http/validation.ts';
import { IdempotencyModule } from './idempotency/idempotency.module.ts';
import { MetricsModule } from './metrics/metrics.module.ts';
import { OpenApiModule } from './openapi/openapi.module.ts';
import { PagingModule } from './paging/paging.module.ts';

/** The whole server. */
@Module({})
export class AppModule {
  static of(config: ServerConfig): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.of(config),
        DatabaseModule,
        MetricsModule,
        AccessModule,
        IdempotencyModule,
        PagingModule,
        HealthModule,
        OpenApiModule,
      ],
      providers: [
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useClass: ValidationPipe },
        { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
        { provide: FREEZE_READER, useValue: { current: () => Promise.resolve(null) } },
      ],
    };
  }
}
