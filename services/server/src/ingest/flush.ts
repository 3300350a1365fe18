/**
 * One flush: everything that follows from what hosts said since the last one, in one transaction.
 *
 * INVARIANTS
 * - host_inventory refers only to stored sets: "is it known?" is asked under the lock that garbage collection takes, in the same transaction.
 * - Events and the change of `loaded` that they explain commit together: none is lost between them, none is made twice.
 * - Rows of a session that is no longer its host's newest are not written.
 * - Locks are taken in the order that migration 0020 says: hosts, sessions, inventories.
 * - Memory changes only after the commit (`applyFlush`).
 */
import { Facet, type KnownFacet } from '@modfleet/proto';
import type { Sql } from '../database/database.service.ts';
import { insertEvents, type NewEvent } from '../events/event.queries.ts';
import { closeSessions, lockHosts, lockSessions } from '../presence/session.queries.ts';
import {
  type FacetRow,
  lockLoadedDigests,
  selectLoadedEntries,
  updateObserved,
  updateVouched,
  upsertFacets,
} from './flush.queries.ts';
import { type Announced, type FacetState, type HostTracker, wordOf } from './host-tracker.ts';
import { diffLoaded, type LoadedByName } from './loaded-diff.ts';
import {
  isShared,
  knownDigests,
  knownParameters,
  lockKnownSets,
  type SharedFacet,
  transactionId,
} from './set.queries.ts';

/** A facet as it was when the flush began. */
export interface FlushItem {
  readonly tracker: HostTracker;
  readonly facet: KnownFacet;
  readonly state: FacetState;
  readonly announced: Announced;
  readonly observedAt: number;
  readonly toldUpTo: number;
  readonly told: ReadonlyMap<string, number>;
}

export interface FlushInput {
  readonly items: readonly FlushItem[];
  readonly events: readonly NewEvent[];
  /** Trackers whose vouching is brought up to date. */
  readonly trackers: readonly HostTracker[];
  readonly ended: readonly HostTracker[];
  /** Steady ms. */
  readonly now: number;
  readonly windowMs: (facet: KnownFacet) => number;
  /** Entries of a loaded set that memory still has. */
  readonly cachedEntries: (hex: string) => LoadedByName | undefined;
  readonly kmodIds: (names: readonly string[]) => Promise<ReadonlyMap<string, number>>;
}

export interface FlushResult {
  /** Of the transaction: asked about when its COMMIT is not answered. */
  readonly xid: string;
  /** Stored now. */
  readonly written: readonly FlushItem[];
  /** Content that nobody sent yet. */
  readonly unknown: readonly FlushItem[];
  readonly masks: ReadonlyMap<HostTracker, number>;
  readonly loadedEntries: ReadonlyMap<string, LoadedByName>;
  readonly diffEvents: number;
}

/** The items that wait to be written, of these trackers. */
export function itemsOf(trackers: readonly HostTracker[]): FlushItem[] {
  return trackers.flatMap((tracker) =>
    [...tracker.facets]
      .filter(([, state]) => state.stored !== wordOf(state.announced))
      .map(([facet, state]) => ({
        tracker,
        facet,
        state,
        announced: state.announced,
        observedAt: state.observedAt,
        toldUpTo: state.toldUpTo,
        told: facet === Facet.FACET_LOADED ? tracker.toldFor(state) : new Map<string, number>(),
      })),
  );
}

export async function writeFlush(sql: Sql, input: FlushInput): Promise<FlushResult> {
  await lockKnownSets(sql, 'shared');
  // Without this a host that came back while its former session ended was a deadlock: sessions first here, the host first there.
  const endedHosts = input.ended.map((tracker) => tracker.peer.hostId);
  if (endedHosts.length > 0) await lockHosts(sql, endedHosts);
  await lockSessions(sql, [...hostsToWrite(input)].sort());
  const { written, unknown } = await splitByKnown(sql, input.items);
  const { events, loadedEntries } = await loadedEvents(sql, input, written);
  const all = [...input.events, ...events];
  if (all.length > 0) await insertEvents(sql, all);
  if (written.length > 0)
    await upsertFacets(
      sql,
      written.map((item) => rowOf(item, input.now)),
    );
  const masks = masksAfter(input, written, unknown);
  await writeVouching(sql, input, masks);
  if (endedHosts.length > 0)
    await closeSessions(
      sql,
      input.ended.map((tracker) => tracker.peer),
    );
  return { xid: await transactionId(sql), written, unknown, masks, loadedEntries, diffEvents: events.length };
}

/** Hosts of which a session or an inventory may be written. */
function hostsToWrite({ items, trackers, ended, now, windowMs }: FlushInput): Set<string> {
  const changed = trackers.filter((tracker) => tracker.writtenMask !== tracker.mask(now, windowMs));
  return new Set([...items.map(({ tracker }) => tracker), ...changed, ...ended].map(({ peer }) => peer.hostId));
}

async function splitByKnown(
  sql: Sql,
  items: readonly FlushItem[],
): Promise<{ written: FlushItem[]; unknown: FlushItem[] }> {
  const known = new Set<string>();
  const byFacet = new Map<SharedFacet, Set<string>>();
  const parameters: { hostId: string; hex: string }[] = [];
  for (const { facet, announced, tracker } of items) {
    if (announced.kind !== 'digest') continue;
    if (isShared(facet)) byFacet.set(facet, (byFacet.get(facet) ?? new Set()).add(announced.hex));
    else parameters.push({ hostId: tracker.peer.hostId, hex: announced.hex });
  }
  for (const [facet, hexes] of byFacet)
    for (const hex of await knownDigests(sql, facet, [...hexes])) known.add(`${facet}:${hex}`);
  if (parameters.length > 0) {
    const rows = await knownParameters(
      sql,
      parameters.map((row) => row.hostId),
      parameters.map((row) => row.hex),
    );
    for (const row of rows) known.add(`${Facet.FACET_PARAMETERS}:${row.hex}:${row.hostId}`);
  }
  const isKnown = ({ facet, announced, tracker }: FlushItem): boolean =>
    announced.kind === 'incapable' ||
    known.has(isShared(facet) ? `${facet}:${announced.hex}` : `${facet}:${announced.hex}:${tracker.peer.hostId}`);
  return { written: items.filter(isKnown), unknown: items.filter((item) => !isKnown(item)) };
}

const NONE: LoadedByName = new Map();

/** Differences between the stored `loaded` and the new one, for hosts that had one: the first is a baseline, not news. */
async function loadedEvents(
  sql: Sql,
  input: FlushInput,
  written: readonly FlushItem[],
): Promise<{ events: NewEvent[]; loadedEntries: Map<string, LoadedByName> }> {
  const loadedEntries = new Map<string, LoadedByName>();
  const items = written.filter((item) => item.facet === Facet.FACET_LOADED && item.announced.kind === 'digest');
  if (items.length === 0) return { events: [], loadedEntries };
  const before = new Map(
    (
      await lockLoadedDigests(
        sql,
        items.map((item) => item.tracker.peer),
      )
    ).map((row) => [row.hostId, row.hex]),
  );
  const changes = items.flatMap((item) => {
    const old = before.get(item.tracker.peer.hostId);
    const hex = wordOf(item.announced);
    return old === undefined || old === null || old === hex ? [] : [{ item, old, hex }];
  });
  const needed = new Set(changes.flatMap((change) => [change.old, change.hex]));
  for (const hex of needed) {
    const cached = input.cachedEntries(hex);
    if (cached !== undefined) loadedEntries.set(hex, cached);
  }
  const missing = [...needed].filter((hex) => !loadedEntries.has(hex));
  if (missing.length > 0)
    for (const row of await selectLoadedEntries(sql, missing))
      loadedEntries.set(row.hex, new Map(Object.entries(row.entries)));
  const found = changes.flatMap(({ item, old, hex }) => {
    const ageMs = input.now - item.observedAt;
    const events = diffLoaded(loadedEntries.get(old) ?? NONE, loadedEntries.get(hex) ?? NONE, item.told);
    return events.map((event) => ({ ...event, hostId: item.tracker.peer.hostId, ageMs }));
  });
  const ids = await input.kmodIds(found.map((event) => event.kmod));
  const events = found.map(({ kmod, kind, detail, hostId, ageMs }) => ({
    hostId,
    kind,
    ageMs,
    detail,
    actionId: null,
    source: 'inventory',
    kmodId: ids.get(kmod) ?? 0,
  }));
  return { events, loadedEntries };
}

function rowOf(item: FlushItem, now: number): FacetRow {
  const { hostId, sessionNo } = item.tracker.peer;
  return {
    hostId,
    sessionNo,
    facet: item.facet,
    ageMs: Math.max(0, now - item.observedAt),
    hex: item.announced.kind === 'digest' ? item.announced.hex : null,
    reason: item.announced.kind === 'incapable' ? item.announced.reason : null,
  };
}

/** What each tracker vouches for once this is committed: a facet whose content is unknown is not. */
function masksAfter(
  input: FlushInput,
  written: readonly FlushItem[],
  unknown: readonly FlushItem[],
): Map<HostTracker, number> {
  const masks = new Map(input.trackers.map((tracker) => [tracker, tracker.mask(input.now, input.windowMs)]));
  for (const { tracker, facet, observedAt } of written) {
    if (input.now - observedAt <= input.windowMs(facet)) masks.set(tracker, (masks.get(tracker) ?? 0) | (1 << facet));
  }
  for (const { tracker, facet } of unknown) masks.set(tracker, (masks.get(tracker) ?? 0) & ~(1 << facet));
  return masks;
}

async function writeVouching(sql: Sql, input: FlushInput, masks: ReadonlyMap<HostTracker, number>): Promise<void> {
  const changed = [...masks].filter(([tracker, mask]) => tracker.writtenMask !== mask && !tracker.ended);
  if (changed.length > 0)
    await updateVouched(
      sql,
      changed.map(([tracker, mask]) => ({ ...idsOf(tracker), mask })),
    );
  const observed = [
    ...changed.flatMap(([tracker, mask]) =>
      observedRows(tracker, input.now, (facet) => (tracker.writtenMask & ~mask & (1 << facet)) !== 0),
    ),
    ...input.ended.flatMap((tracker) => observedRows(tracker, input.now, () => true)),
  ];
  if (observed.length > 0) await updateObserved(sql, observed);
}

function observedRows(
  tracker: HostTracker,
  now: number,
  which: (facet: KnownFacet) => boolean,
): Parameters<typeof updateObserved>[1][number][] {
  return [...tracker.facets]
    .filter(([facet, state]) => which(facet) && state.stored === wordOf(state.announced))
    .map(([facet, state]) => ({ ...idsOf(tracker), facet, ageMs: Math.max(0, now - state.observedAt) }));
}

function idsOf(tracker: HostTracker): { hostId: string; sessionNo: number } {
  return { hostId: tracker.peer.hostId, sessionNo: tracker.peer.sessionNo };
}

/** Brings memory to what was committed. */
export function applyFlush(result: FlushResult): void {
  for (const item of result.written) {
    item.state.stored = wordOf(item.announced);
    if (item.facet === Facet.FACET_LOADED) item.tracker.forgetTold(item.toldUpTo);
  }
  for (const [tracker, mask] of result.masks) {
    tracker.writtenMask = mask;
    for (const [facet, state] of tracker.facets) state.vouched = (mask & (1 << facet)) !== 0;
  }
}
