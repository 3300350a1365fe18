import type { FastifyReply } from 'fastify';

/**
 * What a browser is told beside every answer. The API answers JSON: nothing of it is to be run, framed, guessed to be something else, or read by another
 * site's page. A table instead of a library: there are six lines, all constant.
 */
const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
} as const;

/** A year. Only with a certificate of the operator's: with modfleet's own CA a browser could not go past its warning any more. */
const STRICT_TRANSPORT = 'max-age=31536000';

export function setSecurityHeaders(reply: FastifyReply, strictTransport: boolean): void {
  void reply.headers(HEADERS);
  if (strictTransport) void reply.header('strict-transport-security', STRICT_TRANSPORT);
}
