import { Controller, Get, Inject, Injectable } from '@nestjs/common';
import { ApiExcludeController, type OpenAPIObject } from '@nestjs/swagger';
import { AppError } from '../errors/app-error.ts';

/** Holds the document, which exists only once the whole app does. */
@Injectable()
export class OpenApiHolder {
  document: OpenAPIObject | undefined;
}

@ApiExcludeController()
@Controller('openapi.json')
export class OpenApiController {
  readonly #holder: OpenApiHolder;
  constructor(@Inject(OpenApiHolder) holder: OpenApiHolder) {
    this.#holder = holder;
  }

  @Get()
  read(): OpenAPIObject {
    if (this.#holder.document === undefined)
      throw new AppError('overloaded', 'the server is still starting', { retryAfterSeconds: 1 });
    return this.#holder.document;
  }
}
