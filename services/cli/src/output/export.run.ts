import type { EventList } from '@modfleet/server/api-types';
import type { Api, Query } from '../api/api.ts';
import { CliError } from '../errors/cli-error.ts';
import type { Asked } from '../errors/api-errors.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { coverageLine } from '../kmods/headline.ts';
import type { ExportFormat } from './export-formats.ts';
import { noteFreeze } from './page.ts';
import { exactClock } from './time.ts';
import { count } from './words.ts';

const TYPES: Readonly<Record<ExportFormat, string>> = { csv: 'text/csv', ndjson: 'application/x-ndjson' };

/** A list that is wanted whole. */
export interface ExportRequest {
  readonly path: string;
  readonly query: Query;
  readonly asked: Asked;
  readonly format: ExportFormat;
}

/**
 * Writes every row to stdout as it comes; the next is read when the last was taken, so that memory does not grow with the list.
 *
 * @throws CliError when it broke off: what was written is not the whole, and nobody is to take it for that.
 */
export async function exportList(api: Api, io: Io, request: ExportRequest): Promise<ExitCode> {
  const rows = new RowCounter(request.format);
  try {
    for await (const text of api.download({ ...request, accept: TYPES[request.format] })) {
      io.out.write(text);
      rows.add(text);
      await io.out.drained();
    }
  } catch (error) {
    if (!rows.begun || !(error instanceof CliError)) throw error;
    throw new CliError(`${error.message}. The list is not whole: it ended after ${count(rows.rows, 'row')}`, {
      exitCode: error.exitCode,
      hints: ['run it again; what was written so far is of no use as a list'],
      cause: error,
    });
  }
  io.err.write(`${count(rows.rows, 'row')}: the whole list.\n`);
  return EXIT.ok;
}

/**
 * The first row of the list in its ordinary form: says of the freeze, of alarms and of coverage what the stream cannot say, on stderr, and meets what is wrong with
 * the question before anything is written.
 */
export async function firstOfExport<A extends Pick<EventList, 'coverage' | 'asOf' | 'freeze'>>(
  api: Api,
  io: Io,
  path: string,
  query: Query,
  asked: Asked,
): Promise<A> {
  const answer = await api.get<A>(path, { ...query, limit: 1 }, asked);
  noteFreeze(answer.freeze, io);
  io.err.write(`${coverageLine(answer.coverage, exactClock(answer.asOf, io.now(), io.timeZone))}\n`);
  return answer;
}

/** Counts records; line ends within quotes are none. */
class RowCounter {
  readonly #format: ExportFormat;
  #ends = 0;
  #quoted = false;
  begun = false;

  constructor(format: ExportFormat) {
    this.#format = format;
  }

  get rows(): number {
    return Math.max(0, this.#ends - (this.#format === 'csv' ? 1 : 0));
  }

  add(text: string): void {
    this.begun = true;
    for (const [sign] of text.matchAll(/["\n]/g)) {
      if (sign === '"' && this.#format === 'csv') this.#quoted = !this.#quoted;
      else if (sign === '\n' && !this.#quoted) this.#ends += 1;
    }
  }
}
