import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { stateFolder } from './paths.ts';

const STOP_TIMEOUT_MS = 10_000;

/** A process that runs until it is told to stop. */
export interface Service {
  readonly name: string;
  readonly pid: number | undefined;
  readonly logFile: string;
  /** Settles with a sentence when it ends by itself. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

function logTail(file: string): string {
  if (!existsSync(file)) return '';
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.slice(-6).join('\n');
}

/**
 * Starts a service of ours with its output in .modfleet/logs/NAME.log. It gets a process group of its own, so that Ctrl-C on the terminal
 * reaches only `npm start`, which then stops the services in order.
 */
export function startService(name: string, command: string, args: readonly string[], env: NodeJS.ProcessEnv): Service {
  const folder = join(stateFolder, 'logs');
  mkdirSync(folder, { recursive: true });
  const logFile = join(folder, `${name}.log`);
  const log = openSync(logFile, 'w');
  const child: ChildProcess = spawn(command, args, { env, stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  let stopping = false;
  const exited = new Promise<string>((done) => {
    child.once('error', (error) => done(`could not start: ${error.message}`));
    child.once('exit', (code, signal) =>
      done(signal === null ? `ended with status ${code}` : `was ended by ${signal}`),
    );
  });
  const ended = new Promise<string>((done) => {
    void exited.then((how) => stopping || done(`${name} ${how}; log: ${logFile}\n${logTail(logFile)}`));
  });
  return {
    name,
    pid: child.pid,
    logFile,
    ended,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}
