import type { EventWatchLine, KmodEvent } from '@modfleet/server/api-types';
import { Reconnect } from '../api/reconnect.ts';
import type { Context } from '../context.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import type { Io } from '../io.ts';
import { selectorUnknownLine } from '../kmods/headline.ts';
import { clean } from '../output/clean.ts';
import { jsonFields, type JsonOption, pick } from '../output/json-fields.ts';
import { colorsFor } from '../output/style.ts';
import { renderTabs } from '../output/table.ts';
import { exactClock } from '../output/time.ts';
import { count } from '../output/words.ts';
import { changes, EVENT_FIELDS, eventColumns } from './event-columns.ts';
import { type EventFilterOptions, eventQuery, eventsAsked } from './events-list.run.ts';

export interface EventsWatchOptions extends EventFilterOptions {
  readonly json?: JsonOption;
}

/** Some ten minutes: a server that is updated is back by then. */
const RECONNECTS = 150;

/**
 * `modfleet events watch`: prints events as they are stored, until Ctrl-C. A stream that breaks is taken up where it was (Last-Event-ID), so that none is missed.
 *
 * @throws CliError 5 when the server stays away, 130 on Ctrl-C.
 */
export async function eventsWatch(context: Context, options: EventsWatchOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, EVENT_FIELDS);
  const print = (event: KmodEvent): void =>
    io.out.write(fields === undefined ? line(event, io) : `${JSON.stringify(pick(event, fields))}\n`);
  const api = context.api();
  const reconnect = new Reconnect(io, RECONNECTS);
  let lastEventId: string | undefined;
  for (;;) {
    const resumed = lastEventId !== undefined;
    try {
      const request = { method: 'GET', path: '/events/watch', query: eventQuery(options) } as const;
      for await (const message of api.stream({ ...request, lastEventId, asked: eventsAsked(options) })) {
        const told = message as unknown as EventWatchLine;
        if (told.event === 'start') tellStart(told.data, resumed, io);
        if (told.event === 'kmod_event') print(told.data);
        lastEventId = message.id ?? lastEventId;
        reconnect.progressed();
      }
    } catch (error) {
      gaveUp(error, () => reconnect.lost(error));
    }
    if (!io.signal.aborted) io.err.write('The stream ended; taking it up again.\n');
    await reconnect.pause();
  }
}

function tellStart(start: Extract<EventWatchLine, { event: 'start' }>['data'], resumed: boolean, io: Io): void {
  if (resumed) {
    io.err.write('Taken up again where it was: nothing was missed.\n');
    return;
  }
  const { total, fresh } = start.coverage;
  const rest = fresh === total ? '' : `; nothing is heard of the other ${total - fresh} until they report again`;
  io.err.write(`Following ${count(total, 'host')}, ${fresh} of them fresh${rest}. Ctrl-C ends it.\n`);
  if (start.selectorUnknown > 0) io.err.write(`${selectorUnknownLine(start.selectorUnknown)}\n`);
}

/** A sentence on a terminal; in a pipe the cells of `events list`. */
function line(event: KmodEvent, io: Io): string {
  if (!io.out.isTty) return renderTabs(eventColumns(io.now(), io.timeZone), [event]);
  const colors = colorsFor(io, io.out);
  const by = event.actionId === null ? 'by none of our actions' : `by action ${event.actionId}`;
  const what = event.kind === 'changed' ? `changed (${changes(event)})` : event.kind;
  const at = exactClock(event.at, io.now(), io.timeZone);
  return `${colors.dim(at)}  ${colors.bold(clean(event.host.name))}  ${clean(event.kmod)} ${clean(what)}, ${by}\n`;
}

function gaveUp(error: unknown, step: () => void): void {
  try {
    step();
  } catch {
    if (!(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error;
    throw new CliError(`${error.message}. Nothing more is followed`, {
      exitCode: error.exitCode,
      hints: ['what came since: modfleet events list --since 1h', 'follow again: modfleet events watch'],
      cause: error,
    });
  }
}
