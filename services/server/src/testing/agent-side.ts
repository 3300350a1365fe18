import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AccessModule } from '../access/access.module.ts';
import { AgentGatewayModule } from '../agent-session/agent-gateway.module.ts';
import { AgentListeners } from '../agent-session/agent-listeners.service.ts';
import { AgentSessionModule } from '../agent-session/agent-session.module.ts';
import { SERVER_SOURCE } from '../audit/audit-source.ts';
import { AuditModule } from '../audit/audit.module.ts';
import { BusModule } from '../bus/bus.module.ts';
import { CaModule } from '../ca/ca.module.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { ConfigModule } from '../config/config.module.ts';
import { readServerConfig, SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { DatabaseModule } from '../database/database.module.ts';
import { DatabaseService } from '../database/database.service.ts';
import { EnrollmentModule } from '../enrollment/enrollment.module.ts';
import { JoinTokenService } from '../enrollment/join-token.service.ts';
import { KeysModule } from '../keys/keys.module.ts';
import { MetricsModule } from '../metrics/metrics.module.ts';
import { PresenceModule } from '../presence/presence.module.ts';
import { RetentionModule } from '../retention/retention.module.ts';
import { TestAgent } from './test-agent.ts';

export interface AgentSideOptions {
  /** Shared by replicas that are one server. */
  readonly stateDir?: string;
  readonly config?: Partial<ServerConfig>;
  /** The clock by which certificates are issued and judged. (Within TLS it is the machine's, always.) */
  readonly clock?: () => Date;
}

function caWithClock(clock: () => Date): DynamicModule {
  class ClockedCaModule {}
  return {
    module: ClockedCaModule,
    global: true,
    providers: [
      {
        provide: CertificateAuthority,
        inject: [SERVER_CONFIG],
        useFactory: ({ stateDir, keyPassphrase }: ServerConfig) =>
          CertificateAuthority.open(join(stateDir, 'ca'), keyPassphrase, clock),
      },
    ],
    exports: [CertificateAuthority],
  };
}

/** The agents' side of a server, on free ports, in this process. */
export class AgentSide {
  readonly app: INestApplicationContext;
  readonly stateDir: string;
  readonly #ownsStateDir: boolean;

  private constructor(app: INestApplicationContext, stateDir: string, ownsStateDir: boolean) {
    this.app = app;
    this.stateDir = stateDir;
    this.#ownsStateDir = ownsStateDir;
  }

  static async start(databaseUrl: string, options: AgentSideOptions = {}): Promise<AgentSide> {
    const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'modfleet-state-'));
    const environment = {
      DATABASE_URL: databaseUrl,
      MODFLEET_STATE_DIR: stateDir,
      MODFLEET_SESSION_LISTEN: '127.0.0.1:0',
      MODFLEET_IDENTITY_LISTEN: '127.0.0.1:0',
      MODFLEET_DB_POOL_SIZE: '5',
    };
    const config = { ...readServerConfig(environment), ...options.config };
    const imports = [
      ConfigModule.of(config),
      DatabaseModule,
      MetricsModule,
      BusModule,
      PresenceModule,
      KeysModule,
      AuditModule,
      AccessModule,
      options.clock === undefined ? CaModule : caWithClock(options.clock),
      EnrollmentModule,
    ];
    class TestModule {}
    Module({ imports: [...imports, AgentGatewayModule, AgentSessionModule, RetentionModule] })(TestModule);
    const app = await NestFactory.createApplicationContext(TestModule, { logger: false, abortOnError: false });
    return new AgentSide(app, stateDir, options.stateDir === undefined);
  }

  get database(): DatabaseService {
    return this.app.get(DatabaseService);
  }

  get ca(): CertificateAuthority {
    return this.app.get(CertificateAuthority);
  }

  get sessionAddress(): string {
    return this.app.get(AgentListeners).sessionAddress ?? '';
  }

  get identityAddress(): string {
    return this.app.get(AgentListeners).identityAddress ?? '';
  }

  /** A join token's secret, without the pin. */
  async joinToken(
    options: {
      readonly maxUses?: number;
      readonly expiresInSeconds?: number;
      readonly labels?: Record<string, string>;
    } = {},
  ): Promise<string> {
    const { maxUses = 1, expiresInSeconds = 600, labels } = options;
    const { joinString } = await this.database.tx('READ COMMITTED', (sql) =>
      this.app.get(JoinTokenService).create(sql, { maxUses, expiresInSeconds, labels }, SERVER_SOURCE),
    );
    return joinString.split('.')[0] ?? '';
  }

  /** A machine that has joined. */
  async host(name = 'web-1'): Promise<TestAgent> {
    const agent = await TestAgent.create(name);
    await agent.enroll(this, await this.joinToken());
    return agent;
  }

  async stop(): Promise<void> {
    await this.app.close();
    if (this.#ownsStateDir) rmSync(this.stateDir, { recursive: true, force: true });
  }
}
