import { randomUUID } from 'node:crypto';
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
import type { EpochFile, EpochRaise } from '../signing/epoch-file.ts';
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
  readonly record: (sql: Sql, raise: EpochRaise) => Promise<void>;
  /** Whether the raise of this id is recorded. */
  readonly isRecorded: (sql: Sql, id: string) => Promise<boolean>;
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
  /** Commands stay stopped: a host knows of a higher epoch, or a later raise is under way. */
  readonly isStopped: boolean;
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
 * - No new epoch without its row in the audit log: what is meant goes to keys/epoch.raise, then the stop and the row are committed, and only then the
 *   epoch's file is written. What breaks off before the commit is nothing; after it commands are stopped, and the next raise or the server's start does
 *   the rest ({@link finishRaise}).
 * - From the commit until every older action was seen to commands are stopped, by a row: nobody accepts or dispatches with the older epoch meanwhile.
 * - Each raise that a person asks for is an epoch of its own, above one that broke off.
 * - Nothing is sent, and of no action is it said that it did not run.
 * - One row that is damaged does not keep the fleet stopped: it is ended unread, or left and told. What is left is of an older epoch, and not sent.
 */
export async function raiseEpoch(parts: RaiseParts): Promise<Raised> {
  const { database, epochFile, record } = parts;
  const raise = await database.tx('READ COMMITTED', async (sql) => {
    await lockCommands(sql);
    const stop = await selectCommandStop(sql);
    const brokenOff = epochFile.readRaise()?.epoch ?? 0;
    const next = {
      id: randomUUID(),
      epoch: epochAfter(Math.max(epochFile.read(), brokenOff), stop?.host_epoch ?? null),
    };
    epochFile.writeRaise(next);
    await updateRaising(sql);
    await record(sql, next);
    return next;
  });
  return finished(parts, raise);
}

/** Goes on with a raise that broke off after its row was committed; undefined: there is none. One that has no row is given up. */
export async function finishRaise(parts: RaiseParts): Promise<Raised | undefined> {
  const { database, epochFile, isRecorded } = parts;
  if (epochFile.readRaise() === undefined) return undefined;
  const raise = await database.tx('READ COMMITTED', async (sql) => {
    await lockCommands(sql);
    const found = epochFile.readRaise();
    const stop = await selectCommandStop(sql);
    if (found === undefined) return undefined;
    // Commands that are not stopped: its last step was taken, or the database is an older one, and that is for a raise that somebody asks for.
    if ((stop?.at ?? null) !== null && (await isRecorded(sql, found.id))) return found;
    epochFile.removeRaise();
    return undefined;
  });
  return raise === undefined ? undefined : finished(parts, raise);
}

async function finished(parts: RaiseParts, { id, epoch }: EpochRaise): Promise<Raised> {
  const { database, epochFile, announce } = parts;
  await database.tx('READ COMMITTED', async (sql) => {
    // One after the other: a raise that slept does not take a later one back.
    await lockCommands(sql);
    if (epochFile.read() < epoch) epochFile.write(epoch);
  });
  const ends = await endOlder(parts, epoch);
  const isStopped = await database.tx('READ COMMITTED', async (sql) => {
    await lockCommands(sql);
    const stop = await selectCommandStop(sql);
    // A later raise, or a host that knows of a higher epoch: commands go on when that has ended.
    const isOver = epochFile.readRaise()?.id !== id || (stop?.host_epoch ?? 0) >= epoch;
    if (!isOver) await updateResumed(sql);
    return isOver && (stop?.at ?? null) !== null;
  });
  if (epochFile.readRaise()?.id === id) epochFile.removeRaise();
  await announce(COMMAND_STOP_CHANNEL).catch(() => undefined);
  return { epoch, isStopped, ...ends };
}

async function endOlder(parts: RaiseParts, epoch: number): Promise<Pick<Raised, 'ended' | 'unread' | 'left'>> {
  const unread: TroubledAction[] = [];
  const left: TroubledAction[] = [];
  let ended = 0;
  for (;;) {
    const except = left.map(({ id }) => id);
    const ids = await selectOlderOpen(parts.database, epoch, { limit: BATCH, except });
    if (ids.length === 0) return { ended, unread, left };
    for (const id of ids) {
      const end = await endOne(parts, id, epoch);
      if (end.kind === 'left') left.push(end);
      else ended += 1;
      if (end.kind === 'unread') unread.push(end);
    }
  }
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
