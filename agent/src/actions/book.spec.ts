import { JournalState } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { Book } from './book.ts';
import { encodeJournal } from './journal/journal-codec.ts';
import { FailingJournal, MemoryJournal } from './journal/memory-journal.ts';
import { QuietLog } from './testing/simulated-host.ts';

const {
  JOURNAL_STATE_WHOLE: WHOLE,
  JOURNAL_STATE_SEAL_LOST: SEAL_LOST,
  JOURNAL_STATE_RECORD_LOST: RECORD_LOST,
  JOURNAL_STATE_UNREADABLE: UNREADABLE,
  JOURNAL_STATE_DAMAGED: DAMAGED,
} = JournalState;

const TEXT = encodeJournal([
  { kind: 'step', id: 'a', index: 1 },
  { kind: 'step', id: 'b', index: 1 },
]);
/** The text without its last lines. */
const without = (lines: number): string =>
  TEXT.split('\n')
    .slice(0, -1 - lines)
    .join('\n') + '\n';
const flipped = (text: string, at: number): string => text.slice(0, at) + '#' + text.slice(at + 1);

async function found(text: string): Promise<JournalState[]> {
  const journal = new MemoryJournal(text);
  const states: JournalState[] = [];
  for (let start = 0; start < 2; start++) {
    const book = new Book(journal, new QuietLog());
    await book.ensureOpen();
    states.push(book.journalState);
  }
  return states;
}

describe('what a book says of its journal', () => {
  it.each([
    ['whole', TEXT, [WHOLE, WHOLE]],
    ['new', '', [WHOLE, WHOLE]],
    ['without its last seal', without(1), [SEAL_LOST, WHOLE]],
    ['with its last seal flipped', flipped(TEXT, TEXT.length - 4), [SEAL_LOST, WHOLE]],
    ['with its last record cut', `${without(2)}01234567 b {"ki`, [RECORD_LOST, RECORD_LOST]],
    ['with zeros for its last record', `${without(2)}${'\0'.repeat(9)}`, [UNREADABLE, UNREADABLE]],
    ['with a record flipped in its middle', flipped(TEXT, 40), [DAMAGED, DAMAGED]],
  ])('%s: at the start that finds it, and at the next', async (_what, text, states) => {
    expect(await found(text)).toEqual(states);
  });

  it('nothing while it cannot be opened', () => {
    expect(new Book(new FailingJournal(), new QuietLog()).journalState).toBe(JournalState.JOURNAL_STATE_UNSPECIFIED);
  });
});
