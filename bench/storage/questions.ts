import { tallyKmod } from '../../services/server/src/kmods/kmod-hosts.queries.ts';
import { resolveKmod } from '../../services/server/src/kmods/kmod-resolution.ts';
import { HostDiffService } from '../../services/server/src/host-diff/host-diff.service.ts';
import { HostPastService } from '../../services/server/src/history/host-past.service.ts';
import { KmodPastService } from '../../services/server/src/history/kmod-past.service.ts';
import { pageOfKmodHosts } from '../../services/server/src/kmods/kmod-page.ts';
import { KmodsService } from '../../services/server/src/kmods/kmods.service.ts';
import { LoadedSets } from '../../services/server/src/sets/loaded-sets.ts';
import type { KmodHostList } from '../../services/server/src/api-types.ts';
import type { ApiServer } from '../../services/server/src/testing/api-server.ts';
import { COMMON_KMOD, type FleetModel, RARE_KMOD } from './fleet-model.ts';

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
async function cursorAfter(
  rows: number,
  page: (limit: number, cursor?: string) => Promise<Answer>,
): Promise<string | undefined> {
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
      questions.push(
        {
          name: `page of 100, ${word} kmod, first page${suffix}`,
          reach: 10,
          ask: () => rowsOf(server, kmod, selector),
        },
        { name: `page of 100, ${word} kmod, first page${suffix}, with its counts`, reach: null, ask: () => page(PAGE) },
      );
      const cursor = word === 'common' ? await cursorAfter(BEFORE_500, page) : undefined;
      if (cursor !== undefined)
        questions.push({
          name: `page of 100, ${word} kmod, page 500${suffix}`,
          reach: 10,
          ask: () => page(PAGE, cursor),
        });
    }
  return questions;
}

/** The rows of a first page alone; further pages carry the counts on. */
function rowsOf(server: ApiServer, kmod: string, selector: string | undefined): Promise<unknown> {
  const sets = server.app.get(LoadedSets, { strict: false });
  return server.database.tx('REPEATABLE READ READ ONLY', async (sql) =>
    pageOfKmodHosts(
      sql,
      sets,
      await resolveKmod(sql, sets, kmod, 'all'),
      { selector, includeUnknown: false, scope: 'all' },
      { presence: ['loaded', 'builtin'], after: null, limit: PAGE },
    ),
  );
}

/** Counts of one kmod over the fleet, and of all kmods. */
export function countQuestions(server: ApiServer): Question[] {
  const kmods = server.app.get(KmodsService);
  const { database } = server;
  const sets = server.app.get(LoadedSets, { strict: false });
  const count = (kmod: string, selector: string | undefined): Promise<unknown> =>
    database.tx('REPEATABLE READ READ ONLY', async (sql) =>
      tallyKmod(sql, sets, await resolveKmod(sql, sets, kmod, 'all'), {
        selector,
        includeUnknown: false,
        scope: 'all',
      }),
    );
  return [
    { name: 'exact count with coverage, common kmod', reach: 50, ask: () => count(COMMON_KMOD, undefined) },
    { name: 'exact count with coverage, rare kmod', reach: 50, ask: () => count(RARE_KMOD, undefined) },
    {
      name: `exact count with coverage, common kmod, -l ${SELECTOR}`,
      reach: 50,
      ask: () => count(COMMON_KMOD, SELECTOR),
    },
    {
      name: 'kmods with their host counts, the first 1,000',
      reach: 300,
      ask: () => kmods.list({ limit: 1_000, includeUnknown: false }, 'all'),
    },
  ];
}

const CHANGES_ROUTE = '/api/v1/events/hosts';

/** Which hosts changed, where the server has a route for it: over HTTP, without a socket. */
export function changeQuestions(server: ApiServer): Question[] {
  if (!server.routes.includes(`GET ${CHANGES_ROUTE}`)) return [];
  const since = new Date(Date.now() - 86_400_000).toISOString();
  const ask = async (): Promise<void> => {
    const { status } = await server.call('GET', `${CHANGES_ROUTE}?since=${since}`);
    if (status !== 200) throw new Error(`${CHANGES_ROUTE} answered ${status}`);
  };
  return [{ name: 'who changed since yesterday', reach: 50, ask }];
}

/** Questions to one host or two, another one each time. `days`: how far back. */
export function historyQuestions(server: ApiServer, model: FleetModel, days: number): Question[] {
  const [pasts, diffs, kmodPasts] = [
    server.app.get(HostPastService),
    server.app.get(HostDiffService),
    server.app.get(KmodPastService),
  ];
  let next = 0;
  const host = (): string => model.host((next = (next + 7_919) % model.hosts)).id;
  const ago = (share: number): string => new Date(Date.now() - days * 86_400_000 * share).toISOString();
  const past = { includeUnknown: false, limit: PAGE, presence: undefined, selector: undefined, cursor: undefined };
  return [
    { name: 'what was loaded on a host two days ago', reach: 50, ask: () => pasts.past(host(), ago(2 / days), 'all') },
    {
      name: `what was loaded on a host ${Math.round(days * 0.9)} days ago`,
      reach: 50,
      ask: () => pasts.past(host(), ago(0.9), 'all'),
    },
    { name: 'difference of two hosts', reach: 50, ask: () => diffs.diff(host(), host(), 'all') },
    {
      name: 'which hosts had a rare kmod two days ago, page of 100 with its counts',
      reach: null,
      ask: () => kmodPasts.past(RARE_KMOD, { ...past, at: ago(2 / days) }, 'all'),
    },
  ];
}
