import { Controller, Get, Inject, Injectable } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags, type OpenAPIObject } from '@nestjs/swagger';
import { AppError } from '../errors/app-error.ts';
import { ApiProblems } from './api-decorators.ts';

/** Holds the document, which exists only once the whole app does. */
@Injectable()
export class OpenApiHolder {
  document: OpenAPIObject | undefined;
}

@ApiTags('server')
@Controller('openapi.json')
export class OpenApiController {
  readonly #holder: OpenApiHolder;
  constructor(@Inject(OpenApiHolder) holder: OpenApiHolder) {
    this.#holder = holder;
  }

  @Get()
  @ApiOperation({ summary: 'This document' })
  @ApiOkResponse({ description: 'OpenAPI 3.0.', content: { 'application/json': { schema: { type: 'object' } } } })
  @ApiProblems()
  read(): OpenAPIObject {
    if (this.#holder.document === undefined)
      throw new AppError('overloaded', 'the server is still starting', { retryAfterSeconds: 1 });
    return this.#holder.document;
  }
}
