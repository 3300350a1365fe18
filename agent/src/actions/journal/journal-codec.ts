import { crc32 } from 'node:zlib';
import { ActionRequest, ActionResult, HostHealth, Verdict } from '@modfleet/proto';
import * as z from 'zod';
import {
  JOURNAL_FORMAT,
  type JournalContents,
  JournalDamagedError,
  type JournalRecord,
  type JournalTail,
  LOST_ID,
} from './journal.ts';

/*
 * A journal is text: a header line, then one record a line, `CRC32 ACTION-ID JSON`, each followed by its seal, a line of the same form that is
 * written and synced with it. The id stands first so that a record that was cut short still says whose it was. CRC-32 finds every flipped bit and
 * every burst up to 32 bits in a line.
 *
 * INVARIANT: the last line of a whole journal is a seal. It knows nothing that is not elsewhere, so whatever happens to the last line, no action
 * is forgotten; and a record without its seal says that nothing but a seal is missing behind it.
 */

/** First line of every journal. */
export const JOURNAL_HEADER = `modfleet-journal ${JOURNAL_FORMAT}\n`;

/** Without seals; only read. */
const OLD_HEADER = 'modfleet-journal 1\n';

const RECORD = /^([0-9a-f]{8}) (\S+ .*)$/s;
const TORN_ID = /^[0-9a-f]{8} (\S+) /;

const common = { id: z.string() };
const hostRecord = z.object({
  bootId: z.string(),
  kmods: z.array(
    z.object({
      name: z.string(),
      loaded: z.boolean(),
      parameters: z.array(z.tuple([z.string(), z.string()])),
      writable: z.array(z.string()),
      persisted: z.boolean(),
    }),
  ),
  health: z.unknown().transform((value) => HostHealth.fromJSON(value)),
});
const sealSchema = z.object({ kind: z.literal('sealed') });
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
    // Not of an older agent.
    before: hostRecord.optional(),
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

/** What a line says: a record, the seal of the one before, or what is wrong with it. */
type Line =
  | { readonly kind: 'record'; readonly record: JournalRecord }
  | { readonly kind: 'seal' }
  | { readonly kind: 'bad'; readonly why: string; readonly text: string };

/** One record as it is appended: its line, and its seal. */
export function encodeAppend(record: JournalRecord): string {
  return encodeLine(record.id, plainOf(record)) + encodeLine(record.id, { kind: 'sealed' });
}

/** The whole text of a journal. */
export function encodeJournal(records: readonly JournalRecord[]): string {
  return JOURNAL_HEADER + records.map(encodeAppend).join('');
}

/**
 * Reads a journal's text; an empty text is an empty journal. An end that was cut short is told by `tail`; anything else that is not as it was
 * written is damage.
 *
 * @throws JournalDamagedError
 */
export function decodeJournal(text: string, place: string): JournalContents {
  if (text === '' || (text.length < JOURNAL_HEADER.length && JOURNAL_HEADER.startsWith(text))) {
    return { records: [], tail: 'whole', old: false };
  }
  const old = text.startsWith(OLD_HEADER);
  if (!old && !text.startsWith(JOURNAL_HEADER)) {
    throw new JournalDamagedError(place, 1, `the first line is not ${JSON.stringify(JOURNAL_HEADER.trimEnd())}`);
  }
  const texts = text.split('\n').slice(1);
  const rest = texts.pop() ?? '';
  const lines = texts.map(decodeLine);
  // The seal of the last record, damaged but with its end: as good as missing.
  if (!old && lines.at(-1)?.kind === 'bad' && lines.at(-2)?.kind === 'record') lines.pop();
  const bad = lines.findIndex((line) => line.kind === 'bad');
  const { tail, lost } = tailOf(lines.at(-1), rest, old);
  const records = [
    ...lines.flatMap((line) => (line.kind === 'record' ? [line.record] : [])),
    // What a damaged line says of whose it was may be damaged too.
    ...lines.flatMap((line) => (line.kind === 'bad' ? [...tornRecord(line.text), LOST] : [])),
    ...lost,
  ];
  const damage = lines[bad];
  if (damage?.kind === 'bad') throw new JournalDamagedError(place, bad + 2, damage.why, records);
  return { records, tail, old };
}

/** What an end without a newline was, after this line. */
function tailOf(last: Line | undefined, rest: string, old: boolean): { tail: JournalTail; lost: JournalRecord[] } {
  if (!old && last?.kind === 'record') return { tail: 'seal', lost: [] };
  if (rest === '') return { tail: 'whole', lost: [] };
  const lost = tornRecord(rest);
  return lost.length > 0 ? { tail: 'record', lost } : { tail: 'unreadable', lost: [LOST] };
}

const LOST: JournalRecord = { kind: 'torn', id: LOST_ID };

function tornRecord(line: string): JournalRecord[] {
  const id = TORN_ID.exec(line)?.[1];
  return id === undefined ? [] : [{ kind: 'torn', id }];
}

function decodeLine(text: string): Line {
  const [, sum, body] = RECORD.exec(text) ?? [];
  if (sum === undefined || body === undefined) return { kind: 'bad', why: 'not a record', text };
  if (checksum(body) !== sum) return { kind: 'bad', why: 'its checksum does not match', text };
  const value: unknown = JSON.parse(body.slice(body.indexOf(' ') + 1));
  const seal = sealSchema.safeParse(value);
  if (seal.success) return { kind: 'seal' };
  const record = recordSchema.safeParse(value);
  if (record.success) return { kind: 'record', record: record.data };
  return { kind: 'bad', why: 'a record of a kind that this version does not know', text };
}

function encodeLine(id: string, plain: unknown): string {
  const body = `${id} ${JSON.stringify(plain)}`;
  return `${checksum(body)} ${body}\n`;
}

function plainOf(record: JournalRecord): unknown {
  switch (record.kind) {
    case 'intent':
      return {
        ...record,
        request: ActionRequest.toJSON(record.request),
        verdict: Verdict.toJSON(record.verdict),
        taintBefore: record.taintBefore ?? null,
        before: record.before && { ...record.before, health: HostHealth.toJSON(record.before.health) },
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
