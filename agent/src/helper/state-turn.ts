import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../error-words.ts';
import type { Exec } from '../exec/exec.ts';
import { type FileLock, lockFile } from '../exec/file-lock.ts';
import { makePrivateFolder } from '../identity/atomic-file.ts';
import { HelperRefusal } from './helper-refusal.ts';

const FILE = 'helper.lock';

/** How often a taken state folder is asked for again, ms: each time starts a program. */
const ASK_EVERY_MS = 500;

/** How long a helper waits for the one before it; the courier then comes back later. */
const WAIT_MS = 25_000;

/**
 * One helper at a time has journal and kernel: waits until the one before, whose courier is gone, has brought its step to an end. The lock lies in
 * the state folder, which is its owner's alone, so nobody else can keep the helper from its work.
 *
 * @throws HelperRefusal `busy`; `failed` where no lock can be had: two helpers on one journal could do a thing twice
 */
export async function takeTurn(exec: Exec, stateDir: string, signal: AbortSignal): Promise<FileLock> {
  const until = performance.now() + WAIT_MS;
  try {
    await makePrivateFolder(stateDir);
  } catch (cause) {
    throw noTurn(`the folder ${stateDir} cannot be used: ${messageOf(cause)}`);
  }
  for (;;) {
    const answer = await lockFile(exec, path.join(stateDir, FILE));
    if (answer.kind === 'held') return answer.lock;
    if (answer.kind === 'impossible') throw noTurn(answer.reason);
    if (performance.now() > until || signal.aborted)
      throw new HelperRefusal('busy', 'another helper still works on this host');
    await delay(ASK_EVERY_MS);
  }
}

function noTurn(why: string): HelperRefusal {
  return new HelperRefusal('failed', `nothing is done without the lock of the helper's folder: ${why}`);
}
