import type { Freeze } from '@modfleet/server/api-types';
import { noteMore } from '../api/pages.ts';
import type { Io } from '../io.ts';
import { pick, renderJson } from './json-fields.ts';
import { noteFreeze, printRows } from './page.ts';
import type { Column } from './table.ts';

/** An answer with rows. */
export interface ListAnswer<R> {
  readonly items: R[];
  readonly nextCursor: string | null;
  readonly freeze: Freeze;
}

export interface ListShape<R, F extends string> {
  /** Of `--json`; undefined for the table. */
  readonly fields: readonly F[] | undefined;
  readonly columns: readonly Column<R>[];
  /** Said on stderr when there is no row; JSON says it by itself. */
  readonly none: string | (() => Promise<string>);
}

/** What every list prints: rows (or JSON of them) on stdout; on stderr the freeze before them, and that there is none, or more, after them. */
export async function printList<R extends object, F extends string>(
  io: Io,
  answer: ListAnswer<R>,
  { fields, columns, none }: ListShape<R, F>,
): Promise<void> {
  noteFreeze(answer.freeze, io);
  if (fields !== undefined) {
    const picked = answer.items.map((item) => pick(item, fields));
    io.out.write(renderJson(picked, io.out.isTty));
  } else {
    printRows(io, columns, answer.items);
    if (answer.items.length === 0) io.err.write(`${typeof none === 'string' ? none : await none()}\n`);
  }
  noteMore(answer, io);
}
