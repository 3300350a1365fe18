import type { FastifyRequest } from 'fastify';
import { LRUCache } from 'lru-cache';
import { exportFormatOf } from '../exports/export-format.ts';
import { bodyDigest } from '../idempotency/body-digest.ts';
import { sourceOf } from './audit-source.ts';
import type { AuditService } from './audit.service.ts';
import { exportOf } from './export-rule.ts';

/** Walks that are remembered; forgotten ones are recorded once more. */
const WALKS = 10_000;
/** The pages of one walk are one row in the log. */
const WALK_MS = 10 * 60_000;

/**
 * Records exports before their answer is given: where they cannot be recorded they are not given. Runs after the access hook. One row for each caller, list
 * and filter in ten minutes, on each replica; one for each list that is given whole.
 */
export function exportHook(audit: Pick<AuditService, 'recordAlone'>): (request: FastifyRequest) => Promise<void> {
  const walks = new LRUCache<string, true>({ max: WALKS, ttl: WALK_MS });
  return async (request) => {
    if (request.caller === null) return;
    const query = request.query as Record<string, unknown>;
    const what = exportOf(request.method, request.routeOptions.url, query, request.headers);
    if (what === undefined) return;
    const { cursor: _cursor, limit: _limit, ...filters } = query;
    const path = request.url.split('?', 1)[0] ?? '';
    const source = sourceOf(request);
    const format = exportFormatOf(request);
    const walk = bodyDigest({ who: source.actor, path, filters }).toString('base64');
    // What is given whole is one decision each time; the pages of a walk are one together.
    if (format === undefined && walks.has(walk)) return;
    const selector = typeof filters['selector'] === 'string' ? filters['selector'] : null;
    const { selector: _selector, ...others } = filters;
    const details = {
      ...(Object.keys(others).length === 0 ? {} : { filters: others }),
      ...(format === undefined ? {} : { format }),
    };
    const noted = Object.keys(details).length === 0 ? {} : { details };
    await audit.recordAlone(source, { what, object: path, selector, ...noted });
    if (format === undefined) walks.set(walk, true);
  };
}
