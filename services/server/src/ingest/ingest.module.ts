import { Module } from '@nestjs/common';
import { EventSignal } from '../events/event-signal.ts';
import { BuildDictionary } from './build-dictionary.ts';
import { ContentReader } from './content-reader.ts';
import { FlushWriter } from './flush-writer.ts';
import { IngestService } from './ingest.service.ts';
import { KmodDictionary } from './kmod-dictionary.ts';
import { SetWriter } from './set-writer.ts';

/** From what hosts say to rows. */
@Module({
  providers: [KmodDictionary, BuildDictionary, SetWriter, ContentReader, FlushWriter, EventSignal, IngestService],
  exports: [IngestService, KmodDictionary, EventSignal],
})
export class IngestModule {}
