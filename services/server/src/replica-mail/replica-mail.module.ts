import { Global, Module } from '@nestjs/common';
import { ReplicaMail } from './replica-mail.service.ts';

/** Messages between server processes. */
@Global()
@Module({ providers: [ReplicaMail], exports: [ReplicaMail] })
export class ReplicaMailModule {}
