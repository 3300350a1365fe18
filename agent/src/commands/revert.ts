import type { Writable } from 'node:stream';
import type { ActionLog } from '../actions/action-host.ts';
import { loadConfig } from '../config/load-config.ts';
import type { RevertEnd } from '../confirm/revert.ts';
import { revertCommand } from '../confirm/revert-command.ts';
import { HELPER_STATE_DIR } from '../helper/state-dir.ts';

/** `modfleet-agent revert [--state-dir DIR] [--config FILE]`. */
export interface RevertByHandOptions {
  /** Undefined: wherever a helper of this machine keeps its window. */
  readonly stateDir: string | undefined;
  readonly configFile: string | undefined;
  readonly stdout: Writable;
  readonly log: ActionLog;
}

const SAID: Readonly<Record<RevertEnd, string>> = {
  reverted: 'the confirm window was ended: this machine was put back',
  not_open: 'no confirm window is open; nothing to do',
  elsewhere: 'another process has ended the confirm window; nothing to do',
  damaged: 'the confirm window is damaged, or from a newer agent; nothing was put back',
  unreadable: 'the confirm window could not be read; nothing was put back',
};

/** Somebody waits for the answer, ms. */
const UNREADABLE_MS = 20_000;

/** Ends an open confirm window now, and says what it found. Returns the exit code: 1 when a window may be open and could not be read. */
export async function revertByHand({ stateDir, configFile, stdout, log }: RevertByHandOptions): Promise<number> {
  const end = await firstOpen(
    stateDir === undefined
      ? [async () => HELPER_STATE_DIR, async () => (await loadConfig(configFile)).state_dir]
      : [async () => stateDir],
    log,
  );
  stdout.write(`${SAID[end]}\n`);
  return end === 'damaged' || end === 'unreadable' ? 1 : 0;
}

/** The settings are read only where systemd's helper has no window: a mistake in them must not stand in the way of a revert. */
async function firstOpen(folders: readonly (() => Promise<string>)[], log: ActionLog): Promise<RevertEnd> {
  for (const folder of folders) {
    const order = { by: 'agent', cause: undefined, unreadableMs: UNREADABLE_MS } as const;
    const end = await revertCommand({ stateDir: await folder(), ...order, log });
    if (end !== 'not_open') return end;
  }
  return 'not_open';
}
