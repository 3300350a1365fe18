import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { isRecorded } from '../audit/audit.queries.ts';
import type { DatabaseService, Sql } from '../database/database.service.ts';
import { CaStoreError } from './ca-certificate.ts';
import { lockRotation } from './ca-fleet.queries.ts';
import { readSetText, setText, writeSet } from './ca-store.ts';
import { type CaStepFile, readStep, removeStep, setDigest } from './ca-step-file.ts';

/** A step that was found between its decision and the disk. */
export interface SettledStep {
  readonly step: CaStepFile;
  /** `finished`: its row is in the audit log, and now it is on the disk. `given_up`: it was never recorded, and nothing of it is left. */
  readonly end: 'finished' | 'given_up';
}

/** One step at a time, whatever machine it is taken on. */
export function whileRotationLocked<T>(database: DatabaseService, work: (sql: Sql) => Promise<T>): Promise<T> {
  return database.tx('READ COMMITTED', async (sql) => {
    await lockRotation(sql);
    return work(sql);
  });
}

/**
 * Finishes, or gives up, a step that is not on the disk as a whole. Undefined: there was none.
 *
 * @throws CaStoreError when the disk does not take it; the next call tries again.
 */
export async function settleStep(folder: string, database: DatabaseService): Promise<SettledStep | undefined> {
  if (readStep(folder) === undefined) return undefined;
  return whileRotationLocked(database, (sql) => settleLocked(folder, sql));
}

/** The same for who holds the lock: between a step's commit and its disk another process may come first. */
export async function settleLocked(folder: string, sql: Sql): Promise<SettledStep | undefined> {
  const step = readStep(folder);
  if (step === undefined) return undefined;
  const end = (await isRecorded(sql, 'ca.rotate', step.id)) ? 'finished' : 'given_up';
  try {
    if (end === 'finished') finish(folder, step);
    else giveUp(folder, step);
  } catch (error) {
    throw new CaStoreError(
      `The step "ca rotate ${step.step}" is not on the disk as a whole (${(error as Error).message}). Mend that and run "modfleet-server ca show", which goes on with it.`,
      { cause: error },
    );
  }
  return { step, end };
}

/** What a person is told of it. */
export function settledWords({ step: { step, set }, end }: SettledStep): string {
  return end === 'finished'
    ? `"rotate ${step}" was broken off after it was recorded, and is finished now (${set.phase}, generation ${set.generation})`
    : `"rotate ${step}" was broken off before it was recorded: it was not taken`;
}

/** A set.json that is neither the one before the step nor the one after was put there since, and stays. */
function finish(folder: string, step: CaStepFile): void {
  const text = readSetText(folder) ?? '';
  if (setDigest(text) === step.from || text === setText(step.set)) {
    writeSet(folder, step.set);
    removeKeys(folder, step.erase);
  }
  removeStep(folder);
}

function giveUp(folder: string, step: CaStepFile): void {
  if (setDigest(readSetText(folder) ?? '') === step.from) removeKeys(folder, step.made);
  removeStep(folder);
}

function removeKeys(folder: string, files: readonly string[]): void {
  for (const file of files) rmSync(join(folder, file), { force: true });
}
