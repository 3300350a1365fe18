import { Module } from '@nestjs/common';
import { OpenApiController, OpenApiHolder } from './openapi.controller.ts';

@Module({ controllers: [OpenApiController], providers: [OpenApiHolder], exports: [OpenApiHolder] })
export class OpenApiModule {}
