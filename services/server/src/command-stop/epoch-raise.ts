import { isUnavailable } from '../database/database.errors.ts';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { COMMAND_STOP_CHANNEL } from './command-stop.service.ts';
import {
  type CommandStopRow,
  countOlderOpen,
  lockCommands,
  selectCommandStop,
  selectOlderOpen,
  updateRaising,
  updateResumed,
} from './command-stop.queries.ts';
import type { EpochFile } from '../signing/epoch-file.ts';
import { epochAfter } from './restore.rules.ts';

/** Actions ended between two looks for more. */
const BATCH = 200;

export interface EpochState {
  readonly epoch: number;
  readonly stop: CommandStopRow | undefined;
  /** What a raise would end. */
  readonly open: readonly { readonly epoch: number; readonly state: string; readonly count: number }[];
}

export interface RaiseParts {
  readonly database: DatabaseService;
  readonly epochFile: EpochFile;
  /** Ends one action, whatever it is at. */
  readonly endAction: (id: string, to: number) => Promise<void>;
  /** Ends one whose row cannot be read, in the same way. */
  readonly endUnread: (id: string, to: number) => Promise<void>;
  /** Records the raise, in the transaction that begins it. */
  readonly record: (sql: Sql, epoch: number) => Promise<void>;
  /** Tells the running servers; may fail. */
  readonly announce: (channel: string) => Promise<void>;
}

/** An action that made trouble, and what it was. */
export interface TroubledAction {
  readonly id: string;
  readonly why: string;
}

export interface Raised {
  readonly epoch: number;
  /** How many actions ended. */
  readonly ended: number;
  /** Those of them whose rows cannot be read: they ended without anybody having looked at what they say. */
  readonly unread: readonly TroubledAction[];
  /** Those that could not be ended at all: they are as they were. */
  readonly left: readonly TroubledAction[];
}

export async function epochState({
  database,
  epochFile,
}: Pick<RaiseParts, 'database' | 'epochFile'>): Promise<EpochState> {
  const epoch = epochFile.read();
  return { epoch, stop: await selectCommandStop(database), open: await countOlderOpen(database, epoch + 1) };
}

/**
 * Begins a new epoch of commands, and ends the actions of older ones.
 *
 * INVARIANTS
 * - Commands are stopped, by a row, before the file is written, and until every older action was seen to: a raise that breaks off anywhere leaves
 *   them stopped, and the next raise does the rest.
 * - The file is written while every acceptance and dispatch waits for the row: none goes on with the older epoch.
 * - Nothing is sent, and of no action is it said that it did not run.
 * - One row that is damaged does not keep the fleet stopped: it is ended unread, or left and told. What is left is of an older epoch, and not sent.
 */
export async function raiseEpoch(parts: RaiseParts): Promise<Raised> {
  const { database, epochFile, record, announce } = parts;
  const epoch = await database.tx('READ COMMITTED', async (sql) => {
    await lockCommands(sql);
    const stop = await selectCommandStop(sql);
    await updateRaising(sql);
    const next = epochAfter(epochFile.read(), stop?.host_epoch ?? null);
    await record(sql, next);
    epochFile.write(next);
    return next;
  });
  const unread: TroubledAction[] = [];
  const left: TroubledAction[] = [];
  let ended = 0;
  for (;;) {
    const except = left.map(({ id }) => id);
    const ids = await selectOlderOpen(database, epoch, { limit: BATCH, except });
    if (ids.length === 0) break;
    for (const id of ids) {
      const end = await endOne(parts, id, epoch);
      if (end.kind === 'left') left.push(end);
      else ended += 1;
      if (end.kind === 'unread') unread.push(end);
    }
  }
  await database.tx('READ COMMITTED', updateResumed);
  await announce(COMMAND_STOP_CHANNEL).catch(() => undefined);
  return { epoch, ended, unread, left };
}

type End = { readonly kind: 'ended' } | ({ readonly kind: 'unread' | 'left' } & TroubledAction);

async function endOne({ endAction, endUnread }: RaiseParts, id: string, epoch: number): Promise<End> {
  const first = await troubleOf(() => endAction(id, epoch));
  if (first === undefined) return { kind: 'ended' };
  const second = await troubleOf(() => endUnread(id, epoch));
  return second === undefined ? { kind: 'unread', id, why: first } : { kind: 'left', id, why: second };
}

/** @throws whatever means that the database is away: that is no trouble of one action. */
async function troubleOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}
