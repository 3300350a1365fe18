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
/** What is refused to one caller at one route is one row in this time, on each replica: nobody fills the log with what they may not. */
const REPEATED_MS = 60_000;

/** Refusals of one kind. */
interface Repeated {
  /** By performance.now(). */
  readonly recordedMs: number;
  /** How many came since, without a row. */
  more: number;
}

/**
 * Records refusals that somebody decided beforehand (missing rights, a freeze, a quarantine), before they are answered. The refusal stands where it cannot
 * be recorded: nothing was done that needs a row; the server's log has it.
 */
export function refusalHook(audit: Pick<AuditService, 'recordAlone'>): (request: FastifyRequest) => Promise<void> {
  const recorded = new LRUCache<string, Repeated>({ max: REMEMBERED });
  const logger = new Logger('audit');
  return async (request) => {
    const { caller, refusedWith: code, routeOptions } = request;
    if (caller === null || code === null) return;
    if (request.decision === null ? !isDenial(code) : !isDecision(code)) return;
    const kind = JSON.stringify([caller.credential, routeOptions.url, request.method, request.decision, code]);
    const last = recorded.get(kind);
    if (last !== undefined && performance.now() - last.recordedMs < REPEATED_MS) {
      last.more += 1;
      return;
    }
    recorded.set(kind, { recordedMs: performance.now(), more: 0 });
    const asked = request.decision ?? requestDecision(request);
    const details = {
      ...asked.details,
      ...(last === undefined || last.more === 0 ? {} : { unrecordedBefore: last.more }),
    };
    try {
      await audit.recordAlone(sourceOf(request), {
        ...asked,
        ...(Object.keys(details).length === 0 ? {} : { details }),
        outcome: code,
      });
    } catch (error) {
      recorded.delete(kind);
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
