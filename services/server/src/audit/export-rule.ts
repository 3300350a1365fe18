import { exportFormatOf } from '../exports/export-format.ts';

/**
 * Which reads are an export of the inventory: a list over the fleet's hosts (or over the audit log) that is asked for beyond its first ordinary page, or whole,
 * as CSV or one JSON object a line. Looking is not exporting: the console and the command line ask for pages of at most 100 all day.
 */
export const EXPORTED_LISTS: Readonly<Record<string, 'inventory.export' | 'audit.export'>> = {
  '/api/v1/hosts': 'inventory.export',
  '/api/v1/kmods/:name/hosts': 'inventory.export',
  '/api/v1/drivers/:name/hosts': 'inventory.export',
  '/api/v1/rollout-plans/:id/targets': 'inventory.export',
  '/api/v1/events': 'inventory.export',
  '/api/v1/events/hosts': 'inventory.export',
  '/api/v1/audit': 'audit.export',
};

/** Counts alone, so that pages of them are no export; the whole list is one. */
const EXPORTED_WHOLE: ReadonlySet<string> = new Set(['/api/v1/kmods']);

/** The page size that is used when none is asked for. */
const ORDINARY_PAGE = 100;

/** @param query as it came, not checked yet. @returns undefined for what is no export. */
export function exportOf(
  method: string,
  routePattern: string | undefined,
  query: Readonly<Record<string, unknown>>,
  headers: { readonly accept?: string | undefined } = {},
): 'inventory.export' | 'audit.export' | undefined {
  if (method !== 'GET' || routePattern === undefined) return undefined;
  const isWhole = exportFormatOf({ method, headers }) !== undefined;
  if (isWhole && EXPORTED_WHOLE.has(routePattern)) return 'inventory.export';
  if (!Object.hasOwn(EXPORTED_LISTS, routePattern)) return undefined;
  const beyond = isWhole || query['cursor'] !== undefined || Number(query['limit'] ?? 0) > ORDINARY_PAGE;
  return beyond ? EXPORTED_LISTS[routePattern] : undefined;
}
