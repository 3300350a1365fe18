import { type CallHandler, type ExecutionContext, Inject, Injectable, type NestInterceptor } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { mergeMap, type Observable } from 'rxjs';
import { ALARM_READER, type AlarmReader } from './alarm-reader.ts';
import { FREEZE_READER, type FreezeReader } from './freeze-reader.ts';

const API_PREFIX = '/api/v1/';

/**
 * Puts `freeze`, and `alarm` while there is one, on every JSON object that the API answers, so that no handler can forget it; a handler that says it
 * itself is left alone. Who has not shown who they are hears nothing of the fleet.
 */
@Injectable()
export class EnvelopeInterceptor implements NestInterceptor {
  readonly #freeze: FreezeReader;
  readonly #alarm: AlarmReader;
  constructor(@Inject(FREEZE_READER) freeze: FreezeReader, @Inject(ALARM_READER) alarm: AlarmReader) {
    this.#freeze = freeze;
    this.#alarm = alarm;
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (
      request.caller === null ||
      !request.url.startsWith(API_PREFIX) ||
      request.routeOptions.url === `${API_PREFIX}openapi.json`
    )
      return next.handle();
    return next.handle().pipe(mergeMap((body: unknown) => this.#enveloped(body)));
  }

  async #enveloped(body: unknown): Promise<unknown> {
    if (typeof body !== 'object' || body === null || Object.getPrototypeOf(body) !== Object.prototype) return body;
    const [freeze, alarm] = await Promise.all([this.#freeze.current(), this.#alarm.current()]);
    // A handler that says the freeze itself knows it better.
    return { freeze, ...body, ...(alarm === null ? {} : { alarm }) };
  }
}
