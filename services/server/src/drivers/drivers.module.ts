import { Module } from '@nestjs/common';
import { DriversController } from './drivers.controller.ts';
import { DriversService } from './drivers.service.ts';

@Module({ controllers: [DriversController], providers: [DriversService] })
export class DriversModule {}
