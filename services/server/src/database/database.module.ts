import { Global, Module } from '@nestjs/common';
import { DatabaseService } from './database.service.ts';

/** The connection pool, for every feature. */
@Global()
@Module({ providers: [DatabaseService], exports: [DatabaseService] })
export class DatabaseModule {}
