import { Module } from '@nestjs/common';
import { KmodsController } from './kmods.controller.ts';
import { KmodsService } from './kmods.service.ts';

@Module({ controllers: [KmodsController], providers: [KmodsService] })
export class KmodsModule {}
