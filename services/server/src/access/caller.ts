import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.ts';

/** Who calls: the API token. */
export interface Caller {
  readonly tokenId: string;
  readonly name: string;
  readonly role: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook on every route that needs a token. */
    caller: Caller | null;
  }
}

/** The caller of a request that went through the access hook. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new AppError('unauthenticated', 'this call needs an API token');
  return request.caller;
}

/** Parameter decorator: the {@link Caller}. */
export const CurrentCaller = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  callerOf(context.switchToHttp().getRequest<FastifyRequest>()),
);
