import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { AppError } from '../../errors/app-error.ts';

/** Codes of openid-client by which the provider did answer, but what it says of the person is not to be believed. */
const REFUSED: Readonly<Record<string, string>> = {
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'its identity token is for somebody else: issuer, audience or nonce is not ours',
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED:
    'its identity token has expired, or is not valid yet; see the clocks of both machines',
  OAUTH_KEY_SELECTION_FAILED: 'its identity token is signed with a key that it does not publish',
  OAUTH_INVALID_RESPONSE: 'its answer is not valid: state, signature or a field is not as it must be',
  OAUTH_PARSE_ERROR: 'its answer cannot be read',
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'its answers contradict each other',
  OAUTH_UNSUPPORTED_OPERATION: 'it uses a way of signing that is not taken here',
};

const AWAY_RETRY_SECONDS = 5;

/**
 * What went wrong at the provider, for the person and for the log. Neither the library's message nor its cause are used: they hold tokens, codes and
 * what the provider wrote.
 */
export function oidcProblem(error: unknown): AppError {
  if (error instanceof AppError) return error;
  if (error instanceof AuthorizationResponseError) return refused(`it answered ${word(error.error)}`);
  if (error instanceof ResponseBodyError) {
    if (error.error === 'invalid_grant' || error.error === 'expired_token')
      return refused('the code was used already, or is too old; begin again');
    if (error.error === 'access_denied') return refused('it answered access_denied');
    if (error.status < 500) return notOurs(`it answered ${word(error.error)}`);
    return away();
  }
  if (error instanceof WWWAuthenticateChallengeError)
    return notOurs('it refuses this server: see its client id and secret');
  if (error instanceof ClientError && error.code !== undefined) {
    const why = REFUSED[error.code];
    if (why !== undefined) return refused(why);
  }
  return away();
}

/** Where the library says more in `error_description`, it is left out: the provider chose that text. */
function word(error: string): string {
  return /^[a-z_]{1,40}$/.test(error) ? error : 'an error';
}

function refused(why: string): AppError {
  return new AppError('oidc_refused', `the identity provider did not sign you in: ${why}`);
}

function notOurs(why: string): AppError {
  return new AppError(
    'oidc_unavailable',
    `the identity provider does not serve this server: ${why}; an admin sees to MODFLEET_OIDC_* and the client at the provider. Passwords and API tokens work`,
  );
}

function away(): AppError {
  return new AppError(
    'oidc_unavailable',
    'the identity provider cannot be reached just now; try again, or sign in with a password or an API token',
    { retryAfterSeconds: AWAY_RETRY_SECONDS },
  );
}

export function oidcNotSetUp(): AppError {
  return new AppError(
    'oidc_not_set_up',
    'this server has no identity provider (MODFLEET_OIDC_ISSUER); sign in with a password or an API token',
  );
}
