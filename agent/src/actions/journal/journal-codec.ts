import { crc32 } from 'node:zlib';
import { ActionRequest, ActionResult, Verdict } from '@modfleet/proto';
import { z } from 'zod';
import { JOURNAL_FORMAT, type JournalContents, type JournalRecord, JournalDamagedError } from './journal.ts';

/*
 * A journal is text: a header line, then one record a line, `CRC32 ACTION-ID JSON`. The id stands first so that a record that was cut short
 * still says whose it was. CRC-32 finds every flipped bit and every burst up to 32 bits in a line.
 */

/** First line of every journal. */
export const JOURNAL_HEADER = `modfleet-journal ${JOURNAL_FORMAT}\n`;

const RECORD = /^([0-9a-f]{8}) (\S+ .*)$/s;
const TORN_ID = /^[0-9a-f]{8} (\S+) /;

const common = { id: z.string() };
const recordSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('intent'),
    ...common,
    digest: z.string(),
    request: z.unknown().transform((value) => ActionRequest.fromJSON(value)),
    verdict: z.unknown().transform((value) => Verdict.fromJSON(value)),
    bootId: z.string(),
    startedAtMs: z.number(),
    startedBootMs: z.number(),
    taintBefore: z
      .number()
      .nullable()
      .transform((value) => value ?? undefined),
  }),
  z.object({ kind: z.literal('step'), ...common, index: z.number().int().nonnegative() }),
  z.object({
    kind: z.literal('result'),
    ...common,
    digest: z.string(),
    expiresAtMs: z.number(),
    result: z.unknown().transform((value) => ActionResult.fromJSON(value)),
  }),
  z.object({
    kind: z.literal('tombstone'),
    ...common,
    digest: z.string(),
    outcome: z.custom<ActionResult['outcome']>((value) => typeof value === 'number'),
    expiresAtMs: z.number(),
  }),
  z.object({ kind: z.literal('torn'), ...common }),
  z.object({ kind: z.literal('kernel_died'), ...common, bootId: z.string(), detail: z.string() }),
]);

/** One record as a line. */
export function encodeRecord(record: JournalRecord): string {
  const body = `${record.id} ${JSON.stringify(plainOf(record))}`;
  return `${checksum(body)} ${body}\n`;
}

/** The whole text of a journal. */
export function encodeJournal(records: readonly JournalRecord[]): string {
  return JOURNAL_HEADER + records.map(encodeRecord).join('');
}

/**
 * Reads a journal's text; an empty text is an empty journal. A last line without its end is a torn record; anything else that is not as it was
 * written is damage.
 *
 * @throws JournalDamagedError
 */
export function decodeJournal(text: string, place: string): JournalContents {
  if (text === '' || (text.length < JOURNAL_HEADER.length && JOURNAL_HEADER.startsWith(text))) {
    return { records: [], torn: false };
  }
  if (!text.startsWith(JOURNAL_HEADER)) {
    throw new JournalDamagedError(place, 1, `the first line is not ${JSON.stringify(JOURNAL_HEADER.trimEnd())}`);
  }
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  const decoded = lines.slice(1).map(decodeLine);
  const torn = rest !== '';
  const records = [
    ...decoded.filter((one): one is JournalRecord => typeof one !== 'string'),
    ...decoded.flatMap((one, index) => (typeof one === 'string' ? tornRecord(lines[index + 1] ?? '') : [])),
    ...(torn ? tornRecord(rest) : []),
  ];
  const damaged = decoded.findIndex((one) => typeof one === 'string');
  if (damaged >= 0) throw new JournalDamagedError(place, damaged + 2, String(decoded[damaged]), records);
  return { records, torn };
}

function tornRecord(line: string): JournalRecord[] {
  const id = TORN_ID.exec(line)?.[1];
  return id === undefined ? [] : [{ kind: 'torn', id }];
}

/** The record, or what is wrong with the line. */
function decodeLine(line: string): JournalRecord | string {
  const [, sum, body] = RECORD.exec(line) ?? [];
  if (sum === undefined || body === undefined) return 'not a record';
  if (checksum(body) !== sum) return 'its checksum does not match';
  const parsed = recordSchema.safeParse(JSON.parse(body.slice(body.indexOf(' ') + 1)));
  return parsed.success ? parsed.data : 'a record of a kind that this version does not know';
}

function plainOf(record: JournalRecord): unknown {
  switch (record.kind) {
    case 'intent':
      return {
        ...record,
        request: ActionRequest.toJSON(record.request),
        verdict: Verdict.toJSON(record.verdict),
        taintBefore: record.taintBefore ?? null,
      };
    case 'result':
      return { ...record, result: ActionResult.toJSON(record.result) };
    case 'step':
    case 'tombstone':
    case 'kernel_died':
    case 'torn':
      return record;
  }
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}
