import { Outcome } from '@modfleet/proto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { plainResult } from '../plain-result.ts';
import { anIntent, anOkVerdict, aRequest } from '../testing/builders.ts';
import { decodeJournal, encodeJournal, JOURNAL_HEADER } from './journal-codec.ts';
import { JournalDamagedError, type JournalRecord, LOST_ID } from './journal.ts';

const request = aRequest({
  parameters: ['whom=fleet'],
  kmod: 'mf_hello',
  undo: [{ kind: 'load', kmod: 'mf_hello', parameters: ['times=7'] }],
  approvedPlans: [Buffer.alloc(32, 7)],
});
const records: readonly JournalRecord[] = [
  { kind: 'kernel_died', id: 'k', bootId: 'b', detail: 'oops\nin two lines' },
  anIntent(request, anOkVerdict(['modprobe', 'mf_hello'])),
  {
    ...anIntent(aRequest({ actionId: 'other' }), anOkVerdict(['modprobe', 'dummy'])),
    taintBefore: undefined,
    before: {
      bootId: 'b',
      kmods: [{ name: 'dummy', loaded: true, parameters: [['a', '1']], writable: ['a'], persisted: true }],
      health: {
        bootId: 'b',
        taint: 1,
        oopsCount: 0,
        warnCount: undefined,
        links: ['eth0 up'],
        mounts: ['/dev/vda / ext4'],
      },
    },
  },
  { kind: 'step', id: request.actionId, index: 1 },
  {
    kind: 'result',
    id: request.actionId,
    digest: 'ab',
    expiresAtMs: 5,
    result: plainResult(request, 'abcd', Outcome.OUTCOME_FAILED, 'rejected_by_kernel', 'mit „Umlauten“ und\nZeilen'),
  },
  { kind: 'tombstone', id: 't', digest: 'cd', outcome: Outcome.OUTCOME_STUCK, expiresAtMs: 7 },
  { kind: 'torn', id: 'lost' },
];
const text = encodeJournal(records);

/** What a reader gets, and whether it saw that something is wrong. */
function read(journal: string): { records: readonly JournalRecord[]; damaged: boolean } {
  try {
    const { records: read, tail } = decodeJournal(journal, 'test');
    return { records: read, damaged: tail !== 'whole' };
  } catch (error) {
    if (!(error instanceof JournalDamagedError)) throw error;
    return { records: error.salvaged, damaged: true };
  }
}

const written = new Set(records.map((record) => JSON.stringify(record)));

describe('journal codec', () => {
  it('reads back what was written', () => {
    expect(decodeJournal(text, 'test')).toEqual({ records, tail: 'whole', old: false });
  });

  it('reads an empty file, and a header that was cut short, as empty', () => {
    expect(decodeJournal('', 'test').records).toEqual([]);
    expect(decodeJournal(JOURNAL_HEADER.slice(0, 5), 'test').records).toEqual([]);
  });

  it('refuses another format', () => {
    expect(() => decodeJournal('modfleet-journal 3\n', 'test')).toThrow(JournalDamagedError);
    expect(() => decodeJournal('something else\n', 'test')).toThrow(/modfleet-journal 2/);
  });

  it('cut anywhere: whole records before the cut, the id of the one that was cut, nothing invented', () => {
    for (let length = JOURNAL_HEADER.length; length < text.length; length++) {
      const cut = text.slice(0, length);
      // Records and seals take turns.
      const lines = cut.split('\n').length - 2;
      const whole = Math.ceil(lines / 2);
      const contents = decodeJournal(cut, 'test');
      expect(contents.records.slice(0, whole)).toEqual(records.slice(0, whole));
      expect(contents.records.slice(whole)).toEqual(
        contents.tail === 'record' || contents.tail === 'unreadable'
          ? [{ kind: 'torn', id: contents.tail === 'record' ? records[whole]?.id : LOST_ID }]
          : [],
      );
      const tails = lines % 2 === 1 ? ['seal'] : cut.endsWith('\n') ? ['whole'] : ['record', 'unreadable'];
      expect(tails).toContain(contents.tail);
    }
  });

  it('with any bit flipped: damage or a torn end is seen, and no record is read that was not written', () => {
    const bytes = Buffer.from(text);
    fc.assert(
      fc.property(
        fc.integer({ min: JOURNAL_HEADER.length, max: bytes.length - 1 }),
        fc.integer({ min: 0, max: 7 }),
        (index, bit) => {
          const flipped = Buffer.from(bytes);
          flipped.writeUInt8(flipped.readUInt8(index) ^ (1 << bit), index);
          const seen = read(flipped.toString('utf8'));
          const whole = seen.records.filter((record) => record.kind !== 'torn' || record.id === 'lost');
          expect(whole.every((record) => written.has(JSON.stringify(record)))).toBe(true);
          expect(seen.damaged).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });
});
