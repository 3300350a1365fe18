import { status } from '@grpc/grpc-js';

/**
 * One row per error code of the API: the only place where a code becomes an HTTP status, a gRPC status and an exit code of the CLI. Codes are part of the
 * contract: never renamed, never reused.
 *
 * Exit codes: 1 negative answer, 2 bad input, 3 not found, 4 access, 5 server away, 6 conflict or freeze.
 */
export const ERROR_TABLE = {
  unauthenticated: { http: 401, grpc: status.UNAUTHENTICATED, exit: 4, title: 'No valid token' },
  token_expired: { http: 401, grpc: status.UNAUTHENTICATED, exit: 4, title: 'The token has expired' },
  token_revoked: { http: 401, grpc: status.UNAUTHENTICATED, exit: 4, title: 'The token is revoked' },
  account_disabled: { http: 403, grpc: status.PERMISSION_DENIED, exit: 4, title: 'The account is disabled' },
  access_seal_broken: {
    http: 403,
    grpc: status.PERMISSION_DENIED,
    exit: 4,
    title: 'The right was changed outside the server',
  },
  login_failed: { http: 401, grpc: status.UNAUTHENTICATED, exit: 4, title: 'Not signed in' },
  session_ended: { http: 401, grpc: status.UNAUTHENTICATED, exit: 4, title: 'The sign-in has ended' },
  password_change_required: {
    http: 403,
    grpc: status.PERMISSION_DENIED,
    exit: 4,
    title: 'The password must be changed',
  },
  password_refused: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not a password that is taken' },
  cross_site: { http: 403, grpc: status.PERMISSION_DENIED, exit: 4, title: 'Asked by another site' },
  oidc_not_set_up: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No identity provider is set up' },
  oidc_refused: {
    http: 401,
    grpc: status.UNAUTHENTICATED,
    exit: 4,
    title: 'The identity provider did not sign you in',
  },
  oidc_unavailable: { http: 503, grpc: status.UNAVAILABLE, exit: 5, title: 'The identity provider does not answer' },
  forbidden: { http: 403, grpc: status.PERMISSION_DENIED, exit: 4, title: 'Not allowed' },
  not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such resource' },
  method_not_allowed: { http: 405, grpc: status.UNIMPLEMENTED, exit: 2, title: 'Not a method of this resource' },
  host_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such host' },
  host_ambiguous: { http: 409, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'Several hosts have this name' },
  host_retired: { http: 409, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'The host is retired' },
  host_quarantined: { http: 409, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'The host is quarantined' },
  host_revoked: { http: 409, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'The host is revoked' },
  host_not_quarantined: {
    http: 409,
    grpc: status.FAILED_PRECONDITION,
    exit: 6,
    title: 'The host is not quarantined',
  },
  kmod_name_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not a kmod name' },
  kmod_unknown: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No host knows this kmod' },
  driver_unknown: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No host reports this driver' },
  action_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such action' },
  account_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such account' },
  account_exists: { http: 409, grpc: status.ALREADY_EXISTS, exit: 6, title: 'The account is there already' },
  grant_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such grant' },
  token_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such API token' },
  last_admin: { http: 409, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'Nobody would be admin any more' },
  join_token_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such join token' },
  session_not_found: { http: 404, grpc: status.NOT_FOUND, exit: 3, title: 'No such sign-in' },
  selector_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not a selector' },
  limit_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not a page size' },
  cursor_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not a cursor of this list' },
  query_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Bad query parameters' },
  body_invalid: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Bad request body' },
  body_too_large: { http: 413, grpc: status.RESOURCE_EXHAUSTED, exit: 2, title: 'The request body is too large' },
  request_malformed: { http: 400, grpc: status.INVALID_ARGUMENT, exit: 2, title: 'Not an HTTP request' },
  headers_too_large: { http: 431, grpc: status.RESOURCE_EXHAUSTED, exit: 2, title: 'The headers are too large' },
  content_type_unsupported: {
    http: 415,
    grpc: status.INVALID_ARGUMENT,
    exit: 2,
    title: 'Not a content type of this API',
  },
  idempotency_key_required: {
    http: 400,
    grpc: status.INVALID_ARGUMENT,
    exit: 2,
    title: 'An Idempotency-Key is required',
  },
  idempotency_in_flight: { http: 409, grpc: status.ABORTED, exit: 6, title: 'The same request is being worked on' },
  idempotency_mismatch: {
    http: 422,
    grpc: status.FAILED_PRECONDITION,
    exit: 6,
    title: 'The Idempotency-Key belongs to another request',
  },
  frozen: { http: 423, grpc: status.FAILED_PRECONDITION, exit: 6, title: 'The fleet is frozen' },
  rate_limited: { http: 429, grpc: status.RESOURCE_EXHAUSTED, exit: 5, title: 'Too many requests' },
  database_behind: {
    http: 423,
    grpc: status.FAILED_PRECONDITION,
    exit: 6,
    title: 'The database is older than what a host has been asked',
  },
  database_unavailable: { http: 503, grpc: status.UNAVAILABLE, exit: 5, title: 'The database does not answer' },
  audit_unavailable: { http: 503, grpc: status.UNAVAILABLE, exit: 5, title: 'The audit log cannot be written' },
  overloaded: { http: 503, grpc: status.UNAVAILABLE, exit: 5, title: 'The server has too much to do' },
  internal: { http: 500, grpc: status.INTERNAL, exit: 5, title: 'A fault of the server' },
} as const satisfies Record<string, { http: number; grpc: status; exit: number; title: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;
