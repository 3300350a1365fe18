import { Module } from '@nestjs/common';
import { LoadedSets } from './loaded-sets.ts';

/** What sets hold, in memory. */
@Module({ providers: [{ provide: LoadedSets, useFactory: () => new LoadedSets() }], exports: [LoadedSets] })
export class SetsModule {}
