import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf } from '../error-words.ts';
import { HelperRefusal } from './helper-refusal.ts';
import { NEWEST_COMMAND_FILE } from './newest-command.ts';
import { TRUSTED_CAS_FILE } from './trusted-cas.ts';

/** What decides about steps: who could write it could have steps run. */
const FILES = ['actions.journal', 'confirm', 'host-id', TRUSTED_CAS_FILE, NEWEST_COMMAND_FILE] as const;

/**
 * The helper of root takes only what root wrote: a journal that the agent's user could write (moved here from an older installation, say) could
 * hold an open action that nobody asked for.
 *
 * @throws HelperRefusal
 */
export async function refuseForeignFiles(stateDir: string, euid: number): Promise<void> {
  for (const name of euid === 0 ? FILES : []) {
    const file = path.join(stateDir, name);
    const stat = await lstat(file).catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw new HelperRefusal('failed', `${file} cannot be looked at: ${String(error)}`);
    });
    if (stat === undefined || (stat.uid === 0 && !stat.isSymbolicLink())) continue;
    throw new HelperRefusal(
      'failed',
      `${file} does not belong to root: move it away, and look at what it says before it is used`,
    );
  }
}
