/**
 * One page of "which hosts run this kmod", in the order of their names, without looking at the whole fleet:
 *
 * - a kmod that many hosts have is found by walking through the names, some hundred at a time, until the page is full;
 * - one that few hosts have is found from the sets that have it.
 *
 * Which of the two it is, the first steps of the walk show.
 */
import type { Sql } from '../database/database.service.ts';
import { labelsAlone, type Selection } from '../selectors/selection.queries.ts';
import {
  hostsWithSets,
  isBuiltInSomewhere,
  kmodHostsAmong,
  type KmodHostRow,
  nextHosts,
} from './kmod-hosts.queries.ts';
import type { LoadedSets } from '../sets/loaded-sets.ts';
import type { KmodSubject } from './kmod-resolution.ts';

/** Hosts of the first step, for each row that is wanted: what nine of ten hosts have fills the page with it. */
const FIRST_STEP = 1.5;
/** Each further step takes so many times as many hosts, */
const STEP_GROWTH = 4;
/** up to so many: a statement about more is no longer a matter of milliseconds. */
const STEP_MAX = 5_000;
/** A kmod that is rarer than this is looked up from its sets. */
const FEW_HOSTS = 2_000;

type Key = readonly (string | number)[];

/** At most `limit` + 1 rows after `after` (name, id): one more than the page when there is a next one. */
export async function pageOfKmodHosts(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  selection: Selection,
  page: { readonly presence: readonly string[]; readonly after: Key | null; readonly limit: number },
): Promise<KmodHostRow[]> {
  const wanted = page.limit + 1;
  // Hosts that labels alone chose in this snapshot need not be chosen again.
  const walked: Selection =
    labelsAlone(selection) === undefined ? selection : { scope: 'all', includeUnknown: selection.includeUnknown };
  const rows: KmodHostRow[] = [];
  let { after } = page;
  let step = Math.ceil(wanted * FIRST_STEP);
  for (let first = true; ; first = false) {
    const hosts = await nextHosts(sql, selection, after, step);
    const ids = hosts.map((host) => host.id);
    rows.push(...(await kmodHostsAmong(sql, sets, subject, walked, page.presence, ids)));
    const last = hosts.at(-1);
    if (rows.length >= wanted || hosts.length < step || last === undefined) return rows.slice(0, wanted);
    after = [last.name, last.id];
    const few = first ? await fewHosts(sql, sets, subject, page.presence) : undefined;
    if (few !== undefined) {
      rows.push(...(await kmodHostsAmong(sql, sets, subject, selection, page.presence, few, after)));
      return rows.slice(0, wanted);
    }
    step = Math.min(STEP_MAX, step * STEP_GROWTH);
  }
}

/** Every host that can have one of the presences, when those are few; undefined: many, or not to be told from the sets. */
async function fewHosts(
  sql: Sql,
  sets: LoadedSets,
  subject: KmodSubject,
  presence: readonly string[],
): Promise<readonly string[] | undefined> {
  if (!presence.every((word) => word === 'loaded' || word === 'builtin')) return undefined;
  if (presence.includes('builtin') && (await isBuiltInSomewhere(sql, subject))) return undefined;
  if (subject.kmodId === null) return undefined;
  const having = sets.buildsIn(subject.kmodId).sets;
  if (having.length > FEW_HOSTS) return undefined;
  const ids = await hostsWithSets(sql, having, FEW_HOSTS + 1);
  return ids.length > FEW_HOSTS ? undefined : ids;
}
