import type { Io } from '../io.ts';

interface Page {
  items: unknown[];
  nextCursor: string | null;
}

/** What of a list is wanted. */
export interface PageOptions {
  readonly limit?: number;
  readonly allPages?: boolean;
}

const LARGEST_PAGE = 1000;

/**
 * One page, or all of them in one answer: the items together, everything else (counts, coverage, as of) from the first page, since cursors
 * carry the time of the first.
 */
export async function fetchPages<P extends Page>(
  fetchPage: (query: { limit: number | undefined; cursor: string | undefined }) => Promise<P>,
  options: PageOptions,
): Promise<P> {
  const limit = options.allPages ? LARGEST_PAGE : options.limit;
  const first = await fetchPage({ limit, cursor: undefined });
  let cursor = first.nextCursor;
  while (options.allPages && cursor !== null) {
    const next = await fetchPage({ limit, cursor });
    first.items.push(...next.items);
    cursor = next.nextCursor;
  }
  return { ...first, nextCursor: cursor };
}

/** Says on stderr that there is more than was printed. */
export function noteMore(page: Page, io: Pick<Io, 'err'>): void {
  if (page.nextCursor !== null)
    io.err.write(`There is more: these are the first ${page.items.length}. For all: --all-pages\n`);
}
