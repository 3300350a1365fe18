import type { FastifyRequest } from 'fastify';
import { bearerToken } from '../access/api-token.ts';
import { AppError } from '../errors/app-error.ts';
import { cookieOf, SIGN_IN_COOKIE } from '../sign-in/sessions/cookies.ts';
import { isSameOrigin } from '../sign-in/sessions/same-origin.ts';
import { SIGN_IN_SECRET } from '../sign-in/sessions/sign-in-secret.ts';
import type { Carrier } from '../sign-in/sessions/sign-in.queries.ts';

/** What a request shows of who makes it. */
export type Shown =
  | { readonly kind: 'token'; readonly secret: string }
  | { readonly kind: 'sign-in'; readonly carrier: Carrier; readonly secret: string };

type Request = Pick<FastifyRequest, 'headers' | 'method' | 'protocol' | 'host'>;

/** They change nothing here, and what they answer no other site can read. */
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * The credential of a request: the Authorization header, else the cookie of a browser. A cookie counts for a change only when a page of this server sent it.
 *
 * @param publicUrl origin by which browsers reach this server, if it is set. @throws AppError unauthenticated, cross_site.
 */
export function shownBy(request: Request, publicUrl: string | null): Shown {
  const shown = credentialIn(request.headers);
  const isCookie = shown.kind === 'sign-in' && shown.carrier === 'cookie';
  if (isCookie && !SAFE_METHODS.has(request.method)) requireSameOrigin(request, publicUrl);
  return shown;
}

/**
 * The secret that a request shows, to seal an answer under (ADR 0008): every repetition brings it along, and the database has only its hash.
 *
 * @throws AppError unauthenticated.
 */
export function secretOf(request: Pick<Request, 'headers'>): string {
  return credentialIn(request.headers).secret;
}

function credentialIn({ authorization, cookie }: Request['headers']): Shown {
  if (authorization !== undefined && authorization !== '') return inHeader(authorization);
  const secret = cookieOf(cookie, SIGN_IN_COOKIE);
  if (secret === undefined || secret === '')
    throw new AppError(
      'unauthenticated',
      'this call needs an API token or a sign-in: send "Authorization: Bearer mfl_…", or sign in (POST /api/v1/login)',
    );
  if (!SIGN_IN_SECRET.test(secret)) throw new AppError('unauthenticated', 'the cookie holds no sign-in; sign in again');
  return { kind: 'sign-in', carrier: 'cookie', secret };
}

/** @throws AppError cross_site. */
export function requireSameOrigin(request: Request, publicUrl: string | null): void {
  // What a request says of its own address (Host) is believed only where nobody has said which it is.
  const ours = publicUrl ?? `${request.protocol}://${request.host}`.toLowerCase();
  if (isSameOrigin(request.headers, ours)) return;
  throw new AppError(
    'cross_site',
    'a change that a cookie vouches for has to come from a page of this server (Origin, Sec-Fetch-Site); programs use an API token',
  );
}

function inHeader(authorization: string): Shown {
  const signIn = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (signIn !== undefined && SIGN_IN_SECRET.test(signIn))
    return { kind: 'sign-in', carrier: 'bearer', secret: signIn };
  const token = bearerToken(authorization);
  if (typeof token === 'string') return { kind: 'token', secret: token };
  throw new AppError(
    'unauthenticated',
    'the Authorization header holds no API token and no sign-in: it looks like "Bearer mfl_" or "Bearer mfs_" and 43 characters',
  );
}
