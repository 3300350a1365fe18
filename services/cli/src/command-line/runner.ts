import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { ExitCode } from '../errors/exit-codes.ts';

/** Runs a command's second half: parsing is over, the code of the command is loaded only now. */
export type Runner = (body: (context: Context) => Promise<ExitCode>) => Promise<void>;

/** Adds a noun with its verbs to the program. */
export type Register = (program: Command, run: Runner) => void;
