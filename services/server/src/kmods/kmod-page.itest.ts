import { beforeAll, describe, expect, it } from 'vitest';
import { ApiServer } from '../testing/api-server.ts';
import { Fleet, type HostSeed } from '../testing/fleet.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { kmodHostsSchema } from './kmods.schema.ts';

/** More hosts than the first steps of a page of two look at (kmod-page.ts): five, then twenty. */
const HOSTS = 40;

let server: ApiServer;
onTestDatabase(async (url) => (server = await ApiServer.start(url)));
beforeAll(async () => {
  const fleet = new Fleet(server.app);
  for (let each = 0; each < HOSTS; each += 1) await fleet.add(seedOf(each));
});

/** `common` on all, `some` on every seventh, `rare` on the last two, `builtin_rare` loaded on the last and built in on one in the middle. */
function seedOf(each: number): HostSeed {
  const loaded = ['common'];
  if (each % 7 === 6) loaded.push('some');
  if (each >= HOSTS - 2) loaded.push('rare');
  if (each === HOSTS - 1) loaded.push('builtin_rare');
  return {
    name: `h${String(each).padStart(2, '0')}`,
    labels: { odd: String(each % 2 === 1) },
    loaded,
    available: [{ name: 'builtin_rare', builtin: each === 20 }, 'common', 'rare', 'some'],
    config: {},
  };
}

async function walk(kmod: string, query = ''): Promise<string[]> {
  const names: string[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const page: { items: { host: { name: string } }[]; nextCursor: string | null } = await server.read(
      `/kmods/${kmod}/hosts?limit=2${query}${cursor === '' ? '' : `&cursor=${cursor}`}`,
      kmodHostsSchema,
    );
    expect(page.items.length).toBeLessThanOrEqual(2);
    names.push(...page.items.map((item) => item.host.name));
    cursor = page.nextCursor;
  }
  return names;
}

const expected = (which: (each: number) => boolean): string[] =>
  Array.from({ length: HOSTS }, (_, each) => each)
    .filter(which)
    .map((each) => `h${String(each).padStart(2, '0')}`);

describe('pages of the hosts of a kmod', () => {
  it.each<[string, (each: number) => boolean]>([
    ['common', () => true],
    ['some', (each) => each % 7 === 6],
    ['rare', (each) => each >= HOSTS - 2],
    ['builtin_rare', (each) => each === 20 || each === HOSTS - 1],
  ])('of %s are whole and in order, by whichever way they are found', async (kmod, which) => {
    expect(await walk(kmod)).toEqual(expected(which));
    expect(await walk(kmod, '&selector=odd%3Dtrue')).toEqual(expected((each) => which(each) && each % 2 === 1));
    expect(await walk(kmod, '&presence=on_disk')).toEqual(expected((each) => !which(each)));
  });

  it('of a rare one are narrowed by what a selector says of its hosts', async () => {
    expect(await walk('rare', '&selector=%40loaded%3Dbuiltin_rare')).toEqual([`h${HOSTS - 1}`]);
    expect(await walk('rare', '&presence=unknown')).toEqual([]);
  });
});
