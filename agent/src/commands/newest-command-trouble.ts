import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { HelperRefusal } from '../helper/helper-refusal.ts';
import { FileNewestCommand, NEWEST_COMMAND_FILE } from '../helper/newest-command.ts';

/** Why no command is taken with what these folders say of the newest one; empty when they say it, or nothing. Only looks. */
export async function newestCommandTroubles(folders: readonly string[]): Promise<string[]> {
  const found = await Promise.all([...new Set(folders)].map(troubleIn));
  return found.filter((one) => one !== undefined);
}

async function troubleIn(folder: string): Promise<string | undefined> {
  try {
    // The agent's own user may not look into the helper's folder; nothing is wrong for that.
    await access(path.join(folder, NEWEST_COMMAND_FILE), constants.R_OK);
  } catch {
    return undefined;
  }
  try {
    await FileNewestCommand.open(folder);
    return undefined;
  } catch (error) {
    if (error instanceof HelperRefusal) return error.message;
    throw error;
  }
}
