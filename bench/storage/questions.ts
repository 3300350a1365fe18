import { tallyKmod } from '../../services/server/src/kmods/kmod-hosts.queries.ts';
import { resolveKmod } from '../../services/server/src/kmods/kmod-resolution.ts';
import { KmodsService } from '../../services/server/src/kmods/kmods.service.ts';
import type { KmodHostList } from '../../services/server/src/api-types.ts';
import type { ApiServer } from '../../services/server/src/testing/api-server.ts';
import { COMMON_KMOD, RARE_KMOD } from './fleet-model.ts';

/** Something that is asked, through the service that the HTTP API calls. */
export interface Question {
  readonly name: string;
  /** Milliseconds at p99; null: shown only. */
  readonly reach: number | null;
  readonly ask: () => Promise<unknown>;
}

/** Rows on a page, and how many rows stand before page 500. */
const PAGE = 100;
const BEFORE_500 = 499 * PAGE;
const SELECTOR = 'env=prod';

type Answer = Omit<KmodHostList, 'freeze'>;

/** The cursor of a page far in, found by walking there in big steps. Undefined when the list ends before. */
async function cursorAfter(rows: number, page: (limit: number, cursor?: string) => Promise<Answer>): Promise<string | undefined> {
  let cursor: string | undefined;
  for (let left = rows; left > 0; left -= 1_000) {
    const answer = await page(Math.min(1_000, left), cursor);
    if (answer.nextCursor === null) return undefined;
    cursor = answer.nextCursor;
  }
  return cursor;
}

export async function kmodQuestions(server: ApiServer): Promise<Question[]> {
  const kmods = server.app.get(KmodsService);
  const questions: Question[] = [];
  for (const [word, kmod] of [
    ['common', COMMON_KMOD],
    ['rare', RARE_KMOD],
  ] as const)
    for (const selector of [undefined, SELECTOR]) {
      const page = (limit: number, cursor?: string): Promise<Answer> =>
        kmods.hosts(kmod, { limit, cursor, selector, includeUnknown: false }, 'all');
      const suffix = selector === undefined ? '' : `, -l ${selector}`;
      questions.push({ name: `page of 100, ${word} kmod, first page${suffix}`, reach: 10, ask: () => page(PAGE) });
      const cursor = word === 'common' ? await cursorAfter(BEFORE_500, page) : undefined;
      if (cursor !== undefined)
        questions.push({ name: `page of 100, ${word} kmod, page 500${suffix}`, reach: 10, ask: () => page(PAGE, cursor) });
    }
  return questions;
}

/** Counts of one kmod over the fleet, and of all kmods. */
export function countQuestions(server: ApiServer): Question[] {
  const kmods = server.app.get(KmodsService);
  const { database } = server;
  const count = (kmod: string, selector: string | undefined): Promise<unknown> =>
    database.tx('REPEATABLE READ READ ONLY', async (sql) =>
      tallyKmod(sql, await resolveKmod(sql, kmod, 'all'), { selector, includeUnknown: false, scope: 'all' }),
    );
  return [
    { name: 'exact count with coverage, common kmod', reach: 50, ask: () => count(COMMON_KMOD, undefined) },
    { name: 'exact count with coverage, rare kmod', reach: 50, ask: () => count(RARE_KMOD, undefined) },
    { name: `exact count with coverage, common kmod, -l ${SELECTOR}`, reach: 50, ask: () => count(COMMON_KMOD, SELECTOR) },
    {
      name: 'kmods with their host counts, the first 1,000',
      reach: 300,
      ask: () => kmods.list({ limit: 1_000, includeUnknown: false }, 'all'),
    },
  ];
}
