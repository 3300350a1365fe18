import { Module } from '@nestjs/common';
import { SetsModule } from '../sets/sets.module.ts';
import { KmodsController } from './kmods.controller.ts';
import { KmodsService } from './kmods.service.ts';

@Module({ imports: [SetsModule], controllers: [KmodsController], providers: [KmodsService] })
export class KmodsModule {}
