/** How a list is given whole: as CSV (RFC 4180), or one JSON object a line. */
export type ExportFormat = 'csv' | 'ndjson';

export const EXPORT_TYPES = { csv: 'text/csv', ndjson: 'application/x-ndjson' } as const satisfies Record<
  ExportFormat,
  string
>;

/** What a reader of a list asks for; undefined: a page of it, in JSON. */
export function exportFormatOf(request: {
  readonly method: string;
  readonly headers: { readonly accept?: string | undefined };
}): ExportFormat | undefined {
  const accept = request.headers.accept?.toLowerCase() ?? '';
  if (request.method !== 'GET' || accept.includes('application/json')) return undefined;
  if (accept.includes(EXPORT_TYPES.csv)) return 'csv';
  return accept.includes(EXPORT_TYPES.ndjson) ? 'ndjson' : undefined;
}
