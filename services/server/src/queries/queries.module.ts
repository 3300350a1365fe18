import { Module } from '@nestjs/common';
import { QueriesController } from './queries.controller.ts';
import { QueriesService } from './queries.service.ts';
import { QueryTargets } from './query-targets.service.ts';

/** Live questions to hosts. */
@Module({ controllers: [QueriesController], providers: [QueriesService, QueryTargets], exports: [QueriesService] })
export class QueriesModule {}
