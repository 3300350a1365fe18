import { Global, Module } from '@nestjs/common';
import { CursorService } from './cursor.service.ts';

@Global()
@Module({ providers: [CursorService], exports: [CursorService] })
export class PagingModule {}
