import { Global, Module } from '@nestjs/common';
import { AgentGateway } from './agent-gateway.ts';

/** The port to hosts' sessions, for every feature that talks to hosts. */
@Global()
@Module({ providers: [AgentGateway], exports: [AgentGateway] })
export class AgentGatewayModule {}
