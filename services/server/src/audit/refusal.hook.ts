import { Logger } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { routeName } from '../access/route-table.ts';
import type { ErrorCode } from '../errors/error-table.ts';
import { withoutSecrets } from '../logging/logger.ts';
import type { AuditDecision } from './audit.model.ts';
import { sourceOf } from './audit-source.ts';
import type { AuditService } from './audit.service.ts';
import { isDecision, isDenial } from './decisions.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** What is being asked for, where the handler could say it before it was refused. */
    decision: AuditDecision | null;
    /** Why the request was refused, once it was. */
    refusedWith: ErrorCode | null;
  }
}

const REMEMBERED = 10_000;
/** The same caller refused the same thing again and again is one row in this time, on each replica. */
const REPEATED_MS = 60_000;

/**
 * Records refusals that somebody decided beforehand (missing rights, a freeze, a quarantine), before they are answered. The refusal stands where it cannot
 * be recorded: nothing was done that needs a row; the server's log has it.
 */
export function refusalHook(audit: Pick<AuditService, 'recordAlone'>): (request: FastifyRequest) => Promise<void> {
  const recorded = new LRUCache<string, true>({ max: REMEMBERED, ttl: REPEATED_MS });
  const logger = new Logger('audit');
  return async (request) => {
    const { caller, refusedWith: code, routeOptions } = request;
    if (caller === null || code === null) return;
    if (request.decision === null ? !isDenial(code) : !isDecision(code)) return;
    const asked = request.decision ?? requestDecision(request);
    const again = JSON.stringify([caller.credential, routeOptions.url, asked, code]);
    if (recorded.has(again)) return;
    recorded.set(again, true);
    try {
      await audit.recordAlone(sourceOf(request), { ...asked, outcome: code });
    } catch (error) {
      recorded.delete(again);
      logger.error({
        message: 'a refusal could not be recorded in the audit log',
        requestId: request.id,
        code,
        err: error,
      });
    }
  };
}

function requestDecision(request: FastifyRequest): AuditDecision {
  const path = request.url.split('?', 1)[0] ?? '';
  const pattern = request.routeOptions.url;
  return {
    what: 'request.refuse',
    object: `${request.method} ${withoutSecrets(path).slice(0, 300)}`,
    ...(pattern === undefined ? {} : { details: { route: routeName(request.method, pattern) } }),
  };
}
