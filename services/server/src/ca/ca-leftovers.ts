/**
 * Key files of this server's CAs that nothing names any more: what a process that was killed, or an older version, left behind.
 *
 * INVARIANTS
 * - Only files of this server's own making, in its own folder, by their names: never what an operator gives.
 * - A key that a newer set may need is never removed. Where an older set.json was put back, the key of a CA that hosts trust by now lies beside it and is
 *   not named in it: it is younger than that set, and is told of instead.
 */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type CaSet, knownCas, shortId } from './ca-set.ts';

const KEY = /^ca(-[0-9a-f]{16})?\.key$/;
/** What `keys/key-files.ts` writes before it gives the file its name. */
const DRAFT = /^ca(-[0-9a-f]{16})?\.key\.\d+\.[0-9a-f]{8}$/;
/** A draft lives for milliseconds. */
const DRAFT_LIFE_MS = 600_000;

/** Names of key files and drafts of such in the folder. */
export function keyFilesIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => KEY.test(name) || DRAFT.test(name));
}

/**
 * Removes those of `files` that no set names. @param sets the one that counts first; then one that a step is about to write.
 * @returns what a person should know of files that are kept all the same.
 */
export function sweepKeys(
  folder: string,
  files: readonly string[],
  sets: readonly [CaSet, ...CaSet[]],
  now: Date,
): string[] {
  const [set] = sets;
  const named = new Set(sets.flatMap(ownKeyFiles));
  const erased = new Set(set.former.filter((ca) => ca.key === null).map((ca) => keyFileOf(ca.id)));
  const notes: string[] = [];
  for (const name of files.filter((each) => !named.has(each))) {
    const path = join(folder, name);
    const bornMs = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
    if (bornMs === undefined) continue;
    const isOver = DRAFT.test(name)
      ? bornMs < now.getTime() - DRAFT_LIFE_MS
      : erased.has(name) || bornMs < Date.parse(set.changedAt);
    if (isOver) rmSync(path, { force: true });
    else if (KEY.test(name))
      notes.push(
        `${path} is the key of no CA in set.json, and newer than that: if an older set.json was put back, put the newer one there; else remove the file`,
      );
  }
  return notes;
}

/** Names of the key files of this server's making that the set needs. */
export function ownKeyFiles(set: CaSet): string[] {
  return knownCas(set).flatMap(({ key }) => (key?.kind === 'own' ? [key.file] : []));
}

/** Where the key of a CA that this server made as a next one is. */
export function keyFileOf(id: string): string {
  return `ca-${shortId(id)}.key`;
}
