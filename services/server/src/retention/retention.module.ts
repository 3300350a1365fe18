import { Module } from '@nestjs/common';
import { AgentSessionModule } from '../agent-session/agent-session.module.ts';
import { EventPartitions } from '../events/event-partitions.service.ts';
import { RetentionService } from './retention.service.ts';

/** What is made ahead, and what is forgotten. */
@Module({ imports: [AgentSessionModule], providers: [EventPartitions, RetentionService], exports: [RetentionService] })
export class RetentionModule {}
