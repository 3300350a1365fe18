/**
 * Which reads are an export of the inventory: a list over the fleet's hosts (or over the audit log) that is asked for beyond its first ordinary page.
 * Looking is not exporting: the console and the command line ask for pages of at most 100 all day.
 */
export const EXPORTED_LISTS: Readonly<Record<string, 'inventory.export' | 'audit.export'>> = {
  '/api/v1/hosts': 'inventory.export',
  '/api/v1/kmods/:name/hosts': 'inventory.export',
  '/api/v1/drivers/:name/hosts': 'inventory.export',
  '/api/v1/audit': 'audit.export',
};

/** The page size that is used when none is asked for. */
const ORDINARY_PAGE = 100;

/** @param query as it came, not checked yet. @returns undefined for what is no export. */
export function exportOf(
  method: string,
  routePattern: string | undefined,
  query: Readonly<Record<string, unknown>>,
): 'inventory.export' | 'audit.export' | undefined {
  if (method !== 'GET' || routePattern === undefined || !Object.hasOwn(EXPORTED_LISTS, routePattern)) return undefined;
  const beyond = query['cursor'] !== undefined || Number(query['limit'] ?? 0) > ORDINARY_PAGE;
  return beyond ? EXPORTED_LISTS[routePattern] : undefined;
}
