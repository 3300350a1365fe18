import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MemoryWatch } from '../../tests/fuzz/support/memory-watch.ts';
import { repository, type TestFleet } from '../../tests/e2e/support/fleet.ts';

const ENTRY = join(repository, 'services/cli/bin/modfleet.js');
const LOOK_MS = 50;

export interface ClientRun {
  readonly code: number;
  readonly seconds: number;
  /** Most of its memory that was ever resident, MiB. */
  readonly peakMib: number;
  readonly lines: number;
}

/** The command line as a process of its own with a small heap, its output in a file. */
export async function runClient(fleet: TestFleet, heapMib: number, args: readonly string[]): Promise<ClientRun> {
  const file = join(fleet.folder, 'out');
  const out = openSync(file, 'w');
  const began = performance.now();
  const child = spawn(process.execPath, [`--max-old-space-size=${heapMib}`, ENTRY, ...args], {
    env: { ...process.env, MODFLEET_URL: fleet.http, MODFLEET_TOKEN: fleet.token, NO_COLOR: '1', HOME: fleet.folder },
    stdio: ['ignore', out, 'inherit'],
  });
  const memory = await MemoryWatch.begin(child.pid ?? -1);
  const looking = setInterval(() => void memory.look().catch(() => undefined), LOOK_MS);
  const code = await new Promise<number>((resolve) => child.once('close', (status) => resolve(status ?? 1)));
  clearInterval(looking);
  closeSync(out);
  const seconds = (performance.now() - began) / 1_000;
  const lines = readFileSync(file).reduce((sum, byte) => sum + (byte === 10 ? 1 : 0), 0);
  return { code, seconds, peakMib: memory.figures().peak, lines };
}
