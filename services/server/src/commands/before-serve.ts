import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CaStoreError } from '../ca/ca-certificate.ts';
import { settledWords, settleStep } from '../ca/ca-settle.ts';
import { holdsCa } from '../ca/ca-store.ts';
import { caStoreOptions } from '../ca/open-authority.ts';
import { finishRaise } from '../command-stop/epoch-raise.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { KeyFileError } from '../keys/key-files.ts';
import { type SealedBefore, sealedBefore } from '../keys/sealed-before.queries.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { raisedLines, raiseParts } from './epoch.ts';

/**
 * What a start does before anything of the server is made: no new keys for a database that was sealed under others, and what a command on this machine
 * left unfinished.
 *
 * @returns what a person should know of it.
 * @throws KeyFileError, CaStoreError, DatabaseUnavailableError
 */
export async function beforeServe(config: ServerConfig): Promise<string[]> {
  const database = new DatabaseService({ ...config, dbConnectTimeoutMs: 30_000 });
  try {
    refuseNewKeys(config, await sealedBefore(database));
    const settled = await settleStep(caStoreOptions(config).folder, database);
    const raised = await raiseEnd(config, database);
    return [...(settled === undefined ? [] : [settledWords(settled)]), ...raised];
  } finally {
    await database.onApplicationShutdown();
  }
}

/** A `command.key` is made anew at any start, as docs/operations.md says of it: what a host knows is the CA. */
function refuseNewKeys(config: ServerConfig, { sealed, hosts }: SealedBefore): void {
  const sealKey = join(config.stateDir, 'keys', 'seal.key');
  if (sealed && !existsSync(sealKey))
    throw new KeyFileError(
      `There is no ${sealKey}, and what this database says of rights and decisions is sealed under the key that was there: with a new one every token and account would be ` +
        `dead. ${lookedIn(config.stateDir)} When the key is lost for good: docs/operations.md, "When keys are lost".`,
    );
  const { folder, given } = caStoreOptions(config);
  if (hosts > 0 && given === undefined && !holdsCa(folder))
    throw new CaStoreError(
      `There is no CA in ${folder}, and ${hosts === 1 ? 'a host trusts' : `${hosts} hosts trust`} the one that was there: with a new one every host would be cut off. ` +
        `${lookedIn(config.stateDir)} When the CA is lost for good: docs/operations.md, "When keys are lost".`,
    );
}

function lookedIn(stateDir: string): string {
  return `Name the server's folder in MODFLEET_STATE_DIR (looked in ${stateDir}), or put its folders ca and keys back from their backup. No key was made.`;
}

async function raiseEnd(config: ServerConfig, database: DatabaseService): Promise<string[]> {
  const epochFile = new EpochFile(join(config.stateDir, 'keys'));
  if (epochFile.readRaise() === undefined) return [];
  const raised = await finishRaise(await raiseParts(config, database, epochFile));
  return raised === undefined
    ? []
    : [`an epoch raise was broken off, and is finished now: ${raisedLines(raised).join('; ')}`];
}
