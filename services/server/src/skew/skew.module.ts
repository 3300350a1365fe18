import { Module } from '@nestjs/common';
import { SkewController } from './skew.controller.ts';
import { SkewService } from './skew.service.ts';

/** Where the same kmod is not the same. */
@Module({ controllers: [SkewController], providers: [SkewService] })
export class SkewModule {}
