import { spawn } from 'node:child_process';
import { LabError } from './lab-error.ts';

/** depmod and mke2fs are there, and only root has these folders in PATH. */
const SYSTEM_FOLDERS = ':/usr/sbin:/sbin';

/** What a program left behind. */
export interface ProgramResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** How to run it. `input` goes to its stdin; `env` is added to our own environment. */
export interface ProgramOptions {
  cwd?: string;
  input?: string;
  env?: Record<string, string>;
}

/** Runs a program without a shell and waits for it; any exit code is an answer. LabError when it cannot be started. */
export function tryProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}${SYSTEM_FOLDERS}`, LC_ALL: 'C.UTF-8', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    child.stdin.on('error', () => undefined); // a program that ends without reading its input is judged by its exit code
    child.on('error', (cause) =>
      reject(new LabError(`cannot run ${program}: is it installed and in PATH?`, { cause })),
    );
    child.on('close', (code, signal) =>
      resolve({
        code: code ?? 128,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString() + (signal === null ? '' : `ended by ${signal}\n`),
      }),
    );
    child.stdin.end(options.input ?? '');
  });
}

/** Like tryProgram, but any exit code other than 0 is a LabError with the last lines that the program said. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: ProgramOptions = {},
): Promise<string> {
  const result = await tryProgram(program, args, options);
  if (result.code !== 0) {
    const said = `${result.stdout}\n${result.stderr}`.trim().split('\n').slice(-12).join('\n');
    throw new LabError(`${program} ${args.slice(0, 6).join(' ')} ended with exit code ${result.code}:\n${said}`);
  }
  return result.stdout;
}
