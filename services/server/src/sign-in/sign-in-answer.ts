import type { FastifyReply, FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { LoggedIn, Visitor } from './login.service.ts';
import { setCookie, SIGN_IN_COOKIE } from './sessions/cookies.ts';
import type { Carrier, SignInRow } from './sessions/sign-in.queries.ts';
import type { endedSignInSchema, signedInSchema, signInItemSchema } from './sign-in.schema.ts';

export type SignedIn = z.output<typeof signedInSchema>;
export type SignInItem = z.output<typeof signInItemSchema>;
export type EndedSignIn = Omit<z.output<typeof endedSignInSchema>, 'freeze'>;

/** The answer to who has just signed in; the secret goes into a cookie or into the body, never into both. */
export function signedIn({ caller, signIn }: LoggedIn, carrier: Carrier, reply: FastifyReply): SignedIn {
  if (carrier === 'cookie') keepInCookie(signIn, reply);
  return {
    account: { id: caller.accountId, name: caller.name },
    signInId: signIn.id,
    expiresAt: signIn.expiresAt.toISOString(),
    idleSeconds: signIn.idleSeconds,
    secret: carrier === 'bearer' ? signIn.secret : null,
  };
}

export function keepInCookie(signIn: LoggedIn['signIn'], reply: FastifyReply): void {
  const seconds = (signIn.expiresAt.getTime() - Date.now()) / 1000;
  void reply.header('set-cookie', setCookie(SIGN_IN_COOKIE, signIn.secret, seconds, 'Strict'));
}

export function dropCookie(reply: FastifyReply): void {
  void reply.header('set-cookie', setCookie(SIGN_IN_COOKIE, '', 0, 'Strict'));
}

/** @param currentId of the sign-in that asks. */
export function toSignInItem(row: SignInRow, currentId: string): SignInItem {
  return {
    id: row.id,
    account: { id: row.account_id, name: row.account_name },
    way: row.way,
    carrier: row.carrier,
    place: row.place,
    agent: row.agent,
    createdAt: row.created_at.toISOString(),
    lastUsedAt: row.last_used_at.toISOString(),
    expiresAt: row.expires_at.toISOString(),
    current: row.id === currentId,
  };
}

/** Where somebody signs in from, and with what. */
export function visitorOf(request: FastifyRequest): Visitor {
  return { address: request.ip, agent: request.headers['user-agent'] ?? '', requestId: request.id };
}
