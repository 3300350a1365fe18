/**
 * What loaded sets hold, in memory: four bytes a kmod of a set (30,000 sets of 150: 18 MB). A set never changes, and its number is never given again, so that nothing
 * here can be wrong; it can only be missing, and {@link LoadedSets.sync} brings what a transaction sees beyond it.
 *
 * INVARIANTS
 * - After `sync(sql)` every set that `sql` (REPEATABLE READ) sees is here: each was stored by a transaction that had ended before an earlier edge, or is asked for now.
 *   There may be more: sets of later transactions, and sets that were collected since. Whoever counts hosts finds sets through hosts, and meets neither.
 * - Memory and edge change only after everything was read.
 *
 * Rejected: asking Postgres. Taking 30,000 sets of 150 kmods apart takes a second of CPU there, however it is written, some tens of ms here; looking a common kmod up in the index
 * reads the row of each set that has it.
 */
import { LRUCache } from 'lru-cache';
import type { Sql } from '../database/database.service.ts';
import { contentsOfSets, kmodsOfBuilds, setsSince } from './loaded-sets.queries.ts';
import { hasBit, NO_BITS, type SetBits, withBits } from './set-bits.ts';

/** Sets read at a time: other work goes on between. */
const READ_AT_ONCE = 2_000;
/** Kmods of which is kept which sets have them: a bit a set, 4 KB for 30,000 sets. */
const KMODS_KEPT = 500;
/** After so long all sets are read anew, so that those that were collected take no room for ever. */
const RENEWED_AFTER_MS = 6 * 3_600_000;
/** Entries added up before others get a turn: some 5 ms. */
const ENTRIES_A_TURN = 2_000_000;

/** Hosts that have a set: `n` of class `group`. */
export interface SetGroup {
  readonly set: number;
  readonly group: number;
  readonly n: number;
}

export class LoadedSets {
  readonly #sets = new Map<number, Int32Array>();
  /** Numbers of the sets, as they came; those of the first `#atRenewal` were there at the latest renewal. */
  #order: number[] = [];
  #atRenewal = 0;
  #kmodOf = new Int32Array(0);
  #edge: number | null = null;
  /** The reading of all sets, while it lasts. */
  #first: Promise<void> | undefined;
  #renewedAt = 0;
  /** Which sets have a kmod, of the first `upTo` in `#order`. */
  readonly #having = new LRUCache<number, { bits: SetBits; upTo: number }>({ max: KMODS_KEPT });
  readonly #now: () => number;

  /** @param now steady ms. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Reads what this transaction sees and memory has not. */
  async sync(sql: Sql): Promise<void> {
    if (this.#edge !== null) return this.#read(sql);
    // All sets are read once, however many ask first; the others then read what is theirs beyond.
    await this.#first;
    const reading = this.#read(sql);
    if (this.#edge === null) this.#first ??= reading.catch(() => undefined).finally(() => (this.#first = undefined));
    return reading;
  }

  async #read(sql: Sql): Promise<void> {
    const renews = this.#edge === null || this.#now() - this.#renewedAt > RENEWED_AFTER_MS;
    const { edge, ids } = await setsSince(sql, renews ? null : this.#edge);
    const missing = ids.filter((id) => !this.#sets.has(id));
    const read: { id: number; builds: Int32Array }[] = [];
    for (let from = 0; from < missing.length; from += READ_AT_ONCE)
      for (const { id, builds } of await contentsOfSets(sql, missing.slice(from, from + READ_AT_ONCE)))
        read.push({ id, builds: numbersOf(builds) });
    await this.#learnBuilds(
      sql,
      read.map(({ builds }) => builds),
    );
    if (renews) this.#forgetBut(new Set(ids));
    for (const { id, builds } of read) {
      if (!this.#sets.has(id)) this.#order.push(id);
      this.#sets.set(id, builds);
    }
    if (renews) [this.#atRenewal, this.#renewedAt] = [this.#order.length, this.#now()];
    this.#edge = Math.max(edge, this.#edge ?? 0);
  }

  /** Of the sets that were there hours ago, those that are there no more. A younger one may be of a transaction that this one does not see. */
  #forgetBut(stored: ReadonlySet<number>): void {
    const gone = new Set(this.#order.slice(0, this.#atRenewal).filter((id) => !stored.has(id)));
    if (gone.size === 0) return;
    this.#order = this.#order.filter((id) => !gone.has(id));
    for (const id of gone) this.#sets.delete(id);
    this.#having.clear();
  }

  /** Of which kmods builds are, where memory does not know it yet. */
  async #learnBuilds(sql: Sql, lists: readonly Int32Array[]): Promise<void> {
    const unknown = new Set<number>();
    for (const builds of lists) for (const build of builds) if (this.kmodOf(build) === 0) unknown.add(build);
    if (unknown.size === 0) return;
    const rows = await kmodsOfBuilds(sql, [...unknown]);
    const top = rows.reduce((most, { id }) => Math.max(most, id), 0);
    if (top >= this.#kmodOf.length) {
      const wider = new Int32Array(Math.max(top + 1, this.#kmodOf.length * 2));
      wider.set(this.#kmodOf);
      this.#kmodOf = wider;
    }
    for (const { id, kmodId } of rows) this.#kmodOf[id] = kmodId;
  }

  kmodOf(build: number): number {
    return this.#kmodOf[build] ?? 0;
  }

  /** Every kmod of some sets. */
  kmodsIn(sets: readonly number[]): number[] {
    const isIn = new Uint8Array(this.#kmodOf.length);
    for (const set of sets) for (const build of this.#sets.get(set) ?? []) isIn[build] = 1;
    const kmods = new Set<number>();
    for (let build = 0; build < isIn.length; build += 1) if (isIn[build] === 1) kmods.add(this.kmodOf(build));
    return [...kmods];
  }

  /** The build of a kmod that a set has; undefined: it has none. */
  buildIn(set: number, kmodId: number): number | undefined {
    return this.#sets.get(set)?.find((build) => this.#kmodOf[build] === kmodId);
  }

  /** The sets that have a kmod, and which build of it each has, side by side. */
  buildsIn(kmodId: number | null): { readonly sets: number[]; readonly builds: number[] } {
    const found = { sets: [] as number[], builds: [] as number[] };
    if (kmodId === null) return found;
    const has = this.having(kmodId);
    for (const set of this.#sets.keys())
      if (hasBit(has, set)) {
        found.sets.push(set);
        found.builds.push(this.buildIn(set, kmodId) ?? 0);
      }
    return found;
  }

  /** Which sets have a kmod. */
  having(kmodId: number | null): SetBits {
    if (kmodId === null) return NO_BITS;
    const kept = this.#having.get(kmodId) ?? { bits: NO_BITS, upTo: 0 };
    const young = this.#order.slice(kept.upTo);
    const ids = young.filter((id) => this.#sets.get(id)?.some((build) => this.#kmodOf[build] === kmodId) === true);
    const next = { bits: withBits(kept.bits, ids), upTo: this.#order.length };
    this.#having.set(kmodId, next);
    return next.bits;
  }

  /** For each group, how many hosts have each build: by build. Groups are numbered from 0. */
  async addUp(groups: Iterable<SetGroup>): Promise<Int32Array[]> {
    const counts: Int32Array[] = [];
    let entries = 0;
    for (const { set, group, n } of groups) {
      const builds = this.#sets.get(set);
      if (builds === undefined) throw new Error(`a host has the loaded set ${set}, which is not stored`);
      const sums = (counts[group] ??= new Int32Array(this.#kmodOf.length));
      for (const build of builds) sums[build] = (sums[build] ?? 0) + n;
      entries += builds.length;
      if (entries > ENTRIES_A_TURN) {
        entries = 0;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return counts;
  }
}

/** What {@link LoadedSets.addUp} gave, added up by what `of` says of a build, as columns, without what nobody has. */
export function sumsOf(
  counts: readonly (Int32Array | undefined)[],
  of: (build: number) => number,
): { readonly groups: number[]; readonly of: number[]; readonly n: number[] } {
  const sums = { groups: [] as number[], of: [] as number[], n: [] as number[] };
  for (const [group, ofBuilds = new Int32Array(0)] of counts.entries()) {
    const added = new Map<number, number>();
    for (let build = 0; build < ofBuilds.length; build += 1) {
      const n = ofBuilds[build] ?? 0;
      if (n > 0) added.set(of(build), (added.get(of(build)) ?? 0) + n);
    }
    for (const [each, n] of added) {
      sums.groups.push(group);
      sums.of.push(each);
      sums.n.push(n);
    }
  }
  return sums;
}

/** "1,20,300". */
function numbersOf(text: string): Int32Array {
  let count = text === '' ? 0 : 1;
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) === COMMA) count += 1;
  const numbers = new Int32Array(count);
  let [place, number] = [0, 0];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === COMMA) {
      numbers[place++] = number;
      number = 0;
    } else number = number * 10 + code - ZERO;
  }
  if (count > 0) numbers[place] = number;
  return numbers;
}
const COMMA = 44;
const ZERO = 48;
