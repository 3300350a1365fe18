import { Controller, Get } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { type Caller, CurrentCaller } from '../access/caller.ts';
import { ApiAnswer, ApiProblems } from '../openapi/api-decorators.ts';
import { meSchema } from './accounts.schema.ts';
import { toMe } from './accounts.view.ts';

@ApiTags('access')
@Controller('me')
export class MeController {
  @Get()
  @ApiOperation({ summary: 'Who you are here, and what you may do' })
  @ApiAnswer(200, meSchema, 'You.')
  @ApiProblems()
  read(@CurrentCaller() caller: Caller): Omit<z.output<typeof meSchema>, 'freeze'> {
    return toMe(caller);
  }
}
