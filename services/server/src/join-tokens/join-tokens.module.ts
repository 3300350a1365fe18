import { Module } from '@nestjs/common';
import { EnrollmentModule } from '../enrollment/enrollment.module.ts';
import { JoinTokensController } from './join-tokens.controller.ts';

/** Join tokens over HTTP. */
@Module({ imports: [EnrollmentModule], controllers: [JoinTokensController] })
export class JoinTokensModule {}
