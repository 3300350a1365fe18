import { Module } from '@nestjs/common';
import { SetsModule } from '../sets/sets.module.ts';
import { SkewController } from './skew.controller.ts';
import { SkewService } from './skew.service.ts';

/** Where the same kmod is not the same. */
@Module({ imports: [SetsModule], controllers: [SkewController], providers: [SkewService] })
export class SkewModule {}
