import type { ActionResult } from '@modfleet/proto';
import type { ConfirmWindows } from '../confirm-windows.ts';
import { KmodActionEngine } from '../engine.ts';
import type { Journal } from '../journal/journal.ts';
import { MemoryJournal } from '../journal/memory-journal.ts';
import { QuietLog, SimulatedClock, SimulatedHost, SimulatedKernel } from './simulated-host.ts';

/** What an engine of a test is made of; the rest is new. */
export interface EngineParts {
  readonly kernel?: SimulatedKernel;
  readonly journal?: Journal;
  readonly clock?: SimulatedClock;
  readonly windows?: ConfirmWindows;
  /** It will hang where it is told to, as if its process had been killed, and is not stopped. */
  readonly dies?: boolean;
}

const engines: KmodActionEngine[] = [];

/** An engine on a simulated host; its waits take no time. */
export function anEngine(parts: EngineParts = {}) {
  const host = new SimulatedHost(parts.kernel ?? new SimulatedKernel());
  const clock = parts.clock ?? new SimulatedClock();
  const log = new QuietLog();
  const engine = new KmodActionEngine({
    host,
    journal: parts.journal ?? new MemoryJournal(),
    clock: clock.boot,
    serverClock: clock.server,
    log,
    windows: parts.windows,
    sleep: (_ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) reject(new Error('stopped'));
        setImmediate(resolve);
      }),
  });
  if (parts.dies !== true) engines.push(engine);
  const results: ActionResult[] = [];
  const waiting: (() => void)[] = [];
  engine.onResult((result) => {
    results.push(result);
    for (const wake of waiting.splice(0)) wake();
  });
  const resultNo = async (number: number): Promise<ActionResult> => {
    for (;;) {
      const found = results[number - 1];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { engine, host, clock, log, results, resultNo, kernel: host.kernel };
}

/** Stops all that were made; after each test. */
export async function stopEngines(): Promise<void> {
  for (const engine of engines.splice(0)) await engine.stop();
}
