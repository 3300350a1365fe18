import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { AccessModule } from './access/access.module.ts';
import { AccountsModule } from './accounts/accounts.module.ts';
import { ActionsModule } from './actions/actions.module.ts';
import { AgentGatewayModule } from './agent-session/agent-gateway.module.ts';
import { AgentSessionModule } from './agent-session/agent-session.module.ts';
import { AuditHttpModule } from './audit/audit-http.module.ts';
import { AuditModule } from './audit/audit.module.ts';
import { BusModule } from './bus/bus.module.ts';
import { CaModule } from './ca/ca.module.ts';
import { DriversModule } from './drivers/drivers.module.ts';
import { EnrollmentModule } from './enrollment/enrollment.module.ts';
import { ExportsModule } from './exports/exports.module.ts';
import { FreezeModule } from './freeze/freeze.module.ts';
import { EventsModule } from './events/events.module.ts';
import { HistoryModule } from './history/history.module.ts';
import { HostDiffModule } from './host-diff/host-diff.module.ts';
import { HostsModule } from './hosts/hosts.module.ts';
import { JoinTokensModule } from './join-tokens/join-tokens.module.ts';
import { PresenceModule } from './presence/presence.module.ts';
import { QueriesModule } from './queries/queries.module.ts';
import { ReplicaMailModule } from './replica-mail/replica-mail.module.ts';
import { RetentionModule } from './retention/retention.module.ts';
import { RolloutsModule } from './rollouts/rollouts.module.ts';
import { SkewModule } from './skew/skew.module.ts';
import { StreamingModule } from './streaming/streaming.module.ts';
import { CommandStopModule } from './command-stop/command-stop.module.ts';
import { ConfigModule } from './config/config.module.ts';
import type { ServerConfig } from './config/server-config.ts';
import { DatabaseModule } from './database/database.module.ts';
import { HealthModule } from './health/health.module.ts';
import { EnvelopeInterceptor } from './http/envelope.interceptor.ts';
import { ProblemFilter } from './http/problem.filter.ts';
import { ValidationPipe } from './http/validation.ts';
import { IdempotencyModule } from './idempotency/idempotency.module.ts';
import { KeysModule } from './keys/keys.module.ts';
import { KmodsModule } from './kmods/kmods.module.ts';
import { MetricsModule } from './metrics/metrics.module.ts';
import { OpenApiModule } from './openapi/openapi.module.ts';
import { SignInModule } from './sign-in/sign-in.module.ts';
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
        BusModule,
        PresenceModule,
        KeysModule,
        AuditModule,
        CaModule,
        EnrollmentModule,
        AgentGatewayModule,
        CommandStopModule,
        AgentSessionModule,
        RetentionModule,
        StreamingModule,
        ExportsModule,
        ReplicaMailModule,
        FreezeModule,
        HostsModule,
        KmodsModule,
        DriversModule,
        SkewModule,
        EventsModule,
        HistoryModule,
        HostDiffModule,
        ActionsModule,
        QueriesModule,
        RolloutsModule,
        JoinTokensModule,
        AccountsModule,
        SignInModule,
        AuditHttpModule,
      ],
      providers: [
        { provide: APP_FILTER, useClass: ProblemFilter },
        { provide: APP_PIPE, useClass: ValidationPipe },
        { provide: APP_INTERCEPTOR, useClass: EnvelopeInterceptor },
      ],
    };
  }
}
