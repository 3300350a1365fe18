import { Module } from '@nestjs/common';
import { IngestService } from './ingest.service.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import { SetWriter } from './set-writer.ts';

/** From what hosts say to rows. */
@Module({ providers: [KmodDictionary, SetWriter, IngestService], exports: [IngestService, KmodDictionary] })
export class IngestModule {}
