import { Global, Module } from '@nestjs/common';
import { Exports } from './exports.service.ts';

/** Lists given whole, as CSV or one JSON object a line. */
@Global()
@Module({ providers: [Exports], exports: [Exports] })
export class ExportsModule {}
