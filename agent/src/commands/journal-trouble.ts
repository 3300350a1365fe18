import path from 'node:path';
import { decodeJournal } from '../actions/journal/journal-codec.ts';
import { type Disk, hostDisk } from '../actions/journal/disk.ts';
import { JournalDamagedError, type JournalTail } from '../actions/journal/journal.ts';
import { codeOf, messageOf } from '../error-words.ts';

/** What is wrong with the action journal of a host. */
export interface JournalTrouble {
  /** No action is begun before a person has looked. */
  readonly stops: boolean;
  readonly message: string;
}

/** The journals below these folders that are not whole. Only looks: what can be repaired is repaired when the journal is next opened for acting. */
export async function journalTroubles(folders: readonly string[], disk: Disk = hostDisk): Promise<JournalTrouble[]> {
  const found = await Promise.all([...new Set(folders)].map((folder) => troubleIn(folder, disk)));
  return found.filter((one) => one !== undefined);
}

async function troubleIn(folder: string, disk: Disk): Promise<JournalTrouble | undefined> {
  const place = path.join(folder, 'actions.journal');
  let bytes: Buffer | undefined;
  try {
    bytes = await disk.read(place);
  } catch (error) {
    // The agent's own user may not look into the helper's folder; nothing is wrong with the journal for that.
    if (isForbidden(error)) return undefined;
    const why = messageOf(error);
    return { stops: true, message: `the action journal ${place} cannot be read: ${why}` };
  }
  if (bytes === undefined) return undefined;
  try {
    return wordsFor(decodeJournal(bytes.toString('utf8'), place).tail, place);
  } catch (error) {
    if (!(error instanceof JournalDamagedError)) throw error;
    return { stops: true, message: error.message };
  }
}

function wordsFor(tail: JournalTail, place: string): JournalTrouble | undefined {
  switch (tail) {
    case 'whole':
      return undefined;
    case 'seal':
      return { stops: false, message: `the last line of ${place} was cut short or damaged; nothing is lost by that` };
    case 'record':
      return { stops: false, message: `the last record of ${place} was cut short; its action is not begun again` };
    case 'unreadable':
      return {
        stops: false,
        message: `the end of ${place} cannot be read; an action that is sent again, and is not known there, is not begun`,
      };
  }
}

function isForbidden(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'EACCES' || code === 'EPERM';
}
