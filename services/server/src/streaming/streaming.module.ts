import { Global, Module } from '@nestjs/common';
import { OpenStreams } from './open-streams.ts';

/** Answers that stay open. */
@Global()
@Module({ providers: [OpenStreams], exports: [OpenStreams] })
export class StreamingModule {}
