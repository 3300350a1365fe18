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
  /** Records the raise, in the transaction that begins it. */
  readonly record: (sql: Sql, epoch: number) => Promise<void>;
  /** Tells the running servers; may fail. */
  readonly announce: (channel: string) => Promise<void>;
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
 * - Commands are stopped, by a row, before the file is written, and until every older action has ended: a raise that breaks off anywhere leaves
 *   them stopped, and the next raise does the rest.
 * - The file is written while every acceptance and dispatch waits for the row: none goes on with the older epoch.
 * - Nothing is sent, and of no action is it said that it did not run.
 *
 * @returns the new epoch, and how many actions it ended.
 */
export async function raiseEpoch({
  database,
  epochFile,
  endAction,
  record,
  announce,
}: RaiseParts): Promise<{ epoch: number; ended: number }> {
  const epoch = await database.tx('READ COMMITTED', async (sql) => {
    await lockCommands(sql);
    const stop = await selectCommandStop(sql);
    await updateRaising(sql);
    const next = epochAfter(epochFile.read(), stop?.host_epoch ?? null);
    await record(sql, next);
    epochFile.write(next);
    return next;
  });
  let ended = 0;
  for (
    let ids = await selectOlderOpen(database, epoch, BATCH);
    ids.length > 0;
    ids = await selectOlderOpen(database, epoch, BATCH)
  ) {
    for (const id of ids) await endAction(id, epoch);
    ended += ids.length;
  }
  await database.tx('READ COMMITTED', updateResumed);
  await announce(COMMAND_STOP_CHANNEL).catch(() => undefined);
  return { epoch, ended };
}
