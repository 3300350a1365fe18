import { Global, Module } from '@nestjs/common';
import { EnrollmentModule } from '../enrollment/enrollment.module.ts';
import { IngestModule } from '../ingest/ingest.module.ts';
import { AgentGatewayModule } from './agent-gateway.module.ts';
import { AgentListeners } from './agent-listeners.service.ts';
import { ConfirmHandlers } from './confirm-handlers.ts';
import { SessionMover } from './move/session-mover.service.ts';
import { ServerTls } from './server-tls.ts';
import { SessionAdmission } from './session-admission.service.ts';
import { SessionHandlers } from './session-handlers.ts';
import { SessionRegistry } from './session-registry.service.ts';
import { SessionSweeper } from './session-sweeper.service.ts';

/** The side that agents talk to: both listeners, and the sessions. */
@Global()
@Module({
  imports: [AgentGatewayModule, EnrollmentModule, IngestModule],
  providers: [
    SessionRegistry,
    SessionAdmission,
    SessionHandlers,
    SessionSweeper,
    SessionMover,
    ConfirmHandlers,
    ServerTls,
    AgentListeners,
  ],
  exports: [SessionRegistry, AgentListeners],
})
export class AgentSessionModule {}
