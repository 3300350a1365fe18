import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from './paths.ts';
import { ScriptError } from './program.ts';

const file = join(stateFolder, 'run.json');

interface RunRecord {
  readonly start: number;
  /** What it started, newest last: name and process id. */
  readonly services: readonly { readonly name: string; readonly pid: number; readonly marker: string }[];
}

function lives(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** True when the process with this id is the one that we started: its command line still carries the marker. */
function isOurs(pid: number, marker: string): boolean {
  const commandLine = `/proc/${pid}/cmdline`;
  return existsSync(commandLine) && readFileSync(commandLine, 'utf8').includes(marker);
}

/**
 * One `npm start` a clone. What a killed one left running (seen by its recorded process ids, and only while they are still the programs
 * that it started) is stopped here.
 */
export async function takeRunLock(): Promise<{
  add: (name: string, pid: number, marker: string) => void;
  release: () => void;
}> {
  mkdirSync(stateFolder, { recursive: true });
  if (existsSync(file)) {
    const old = JSON.parse(readFileSync(file, 'utf8')) as RunRecord;
    if (lives(old.start) && isOurs(old.start, 'start.ts')) {
      throw new ScriptError(`this clone already runs (process ${old.start}): use it, or stop it with Ctrl-C first.`);
    }
    for (const { pid, marker } of [...old.services].reverse()) await stopLeftover(pid, marker);
  }
  const services: { name: string; pid: number; marker: string }[] = [];
  const write = () => writeFileSync(file, JSON.stringify({ start: process.pid, services } satisfies RunRecord));
  write();
  return {
    add(name, pid, marker) {
      services.push({ name, pid, marker });
      write();
    },
    release: () => rmSync(file, { force: true }),
  };
}

async function stopLeftover(pid: number, marker: string): Promise<void> {
  if (!isOurs(pid, marker)) return;
  process.kill(pid, 'SIGINT');
  for (let tries = 0; tries < 100 && isOurs(pid, marker); tries++) await new Promise((again) => setTimeout(again, 50));
  if (isOurs(pid, marker)) process.kill(pid, 'SIGKILL');
}
