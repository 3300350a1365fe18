import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors/app-error.ts';
import { scopeOf } from './decision.ts';
import type { LabelSelector } from './host-scope.ts';
import type { Role } from './roles.ts';

export type AccountKind = 'person' | 'service';

/** One right that holds: neither revoked nor changed by hand. */
export interface Grant {
  readonly id: string;
  readonly role: Role;
  /** Null: the whole fleet. */
  readonly selector: LabelSelector | null;
}

/** With what a caller has shown who it is. */
export interface Credential {
  readonly kind: 'token' | 'session';
  readonly id: string;
}

/** Who calls: an account, by one of its credentials. */
export interface Caller {
  readonly accountId: string;
  /** The account's name. */
  readonly name: string;
  readonly kind: AccountKind;
  readonly credential: Credential;
  readonly grants: readonly Grant[];
  /** Grants whose seal is broken: they give nothing. */
  readonly brokenGrants: number;
  /** Routes that the credential is narrowed to ("GET /api/v1/hosts"); null: all that the account may. */
  readonly routes: readonly string[] | null;
  /** When the credential ends; null: never by itself. */
  readonly expiresAt: Date | null;
  /** Where the call came from: the true peer, or what a trusted proxy says. */
  readonly address: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by the access hook on every route that needs one. */
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

/** Parameter decorator: the hosts that the caller may read. */
export const ReadScope = createParamDecorator((_data: unknown, context: ExecutionContext) =>
  scopeOf(callerOf(context.switchToHttp().getRequest<FastifyRequest>()), 'read'),
);
