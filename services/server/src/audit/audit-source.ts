import { userInfo } from 'node:os';
import type { FastifyRequest } from 'fastify';
import { callerOf } from '../access/caller.ts';
import type { AuditSource } from './audit.model.ts';

/** Who sent a request, and from where: the token and its account's name, or the account that a session belongs to. */
export function sourceOf(request: FastifyRequest): AuditSource {
  const { accountId, name, credential, address } = callerOf(request);
  return {
    actor: {
      kind: credential.kind === 'token' ? 'token' : 'account',
      id: credential.kind === 'token' ? credential.id : accountId,
      name,
    },
    via: 'http',
    address,
    requestId: request.id,
    idempotencyKey: request.idempotencyKey,
  };
}

/** What the server does by itself. */
export const SERVER_SOURCE: AuditSource = {
  actor: { kind: 'server', id: null, name: 'server' },
  via: 'server',
  address: null,
  requestId: null,
  idempotencyKey: null,
};

/** A person at the server's own machine. */
export function localSource(): AuditSource {
  return { ...SERVER_SOURCE, actor: { kind: 'local', id: null, name: userInfo().username }, via: 'cli' };
}

/** A host that called the identity service. @param peer as gRPC names it, for example `ipv4:192.0.2.7:4711`. */
export function hostSource(hostId: string, name: string, peer: string): AuditSource {
  return { ...SERVER_SOURCE, actor: { kind: 'host', id: hostId, name }, via: 'grpc', address: peer };
}
