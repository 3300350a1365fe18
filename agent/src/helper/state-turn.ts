import { setTimeout as delay } from 'node:timers/promises';
import { codeOf } from '../error-words.ts';
import { IdentityStoreError } from '../identity/host-identity.ts';
import { lockState, type StateLock } from '../identity/state-lock.ts';
import { HelperRefusal } from './helper-refusal.ts';

/** How often a taken state folder is asked for again, ms. */
const ASK_EVERY_MS = 200;

/** How long a helper waits for the one before it; the courier then comes back later. */
const WAIT_MS = 25_000;

/**
 * One helper at a time has journal and kernel: waits until the one before, whose courier is gone, has brought its step to an end.
 *
 * @throws HelperRefusal `busy`
 */
export async function takeTurn(stateDir: string, signal: AbortSignal): Promise<StateLock> {
  const until = performance.now() + WAIT_MS;
  for (;;) {
    try {
      return await lockState(stateDir, 'modfleet-helper');
    } catch (error) {
      if (!(error instanceof IdentityStoreError)) throw error;
      if (!isTaken(error)) throw new HelperRefusal('failed', error.message);
      if (performance.now() > until || signal.aborted)
        throw new HelperRefusal('busy', 'another helper still works on this host');
      await delay(ASK_EVERY_MS);
    }
  }
}

function isTaken({ cause }: Error): boolean {
  return codeOf(cause) === 'EADDRINUSE';
}
