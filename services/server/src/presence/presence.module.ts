import { Global, Module } from '@nestjs/common';
import { ReplicaService } from './replica.service.ts';

/** Who is connected where, and whose facts are fresh. */
@Global()
@Module({ providers: [ReplicaService], exports: [ReplicaService] })
export class PresenceModule {}
