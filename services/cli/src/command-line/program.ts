import { Command, CommanderError } from 'commander';
import { registerAccess } from '../access/access.commands.ts';
import { registerActions } from '../actions/actions.commands.ts';
import { registerAudit } from '../audit/audit.commands.ts';
import { registerCompletion } from '../completion/completion.commands.ts';
import type { Context } from '../context.ts';
import { registerDrivers } from '../drivers/drivers.commands.ts';
import { CliError } from '../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../errors/exit-codes.ts';
import { reportError } from '../errors/report.ts';
import { registerEvents } from '../events/events.commands.ts';
import { registerFleet } from '../fleet/fleet.commands.ts';
import { registerHelp } from '../help/help.commands.ts';
import { registerHosts } from '../hosts/hosts.commands.ts';
import { registerJoinTokens } from '../join-tokens/join-tokens.commands.ts';
import { registerKmods } from '../kmods/kmods.commands.ts';
import { registerLogin } from '../login/login.commands.ts';
import { registerRollouts } from '../rollouts/rollouts.commands.ts';
import { registerSignIn } from '../sign-in/sign-in.commands.ts';
import type { Io } from '../io.ts';
import { VERSION } from '../version.ts';
import { commandAt, commandPath } from './command-tree.ts';
import type { Runner } from './runner.ts';
import { unknownOptionFirst } from './unknown-option.ts';

const DESCRIPTION = 'Which hosts run this driver? The answer for a whole fleet, and safe changes to it.';

const NOUNS = [
  registerHosts,
  registerKmods,
  registerDrivers,
  registerActions,
  registerRollouts,
  registerEvents,
  registerFleet,
  registerJoinTokens,
  registerAccess,
  registerAudit,
  registerLogin,
  registerSignIn,
  registerCompletion,
  registerHelp,
];

/** The tree of commands. Parsing only: what a command does is loaded when it runs. */
export function buildProgram(io: Pick<Io, 'out' | 'err'>, run: Runner): Command {
  const program = new Command('modfleet')
    .description(DESCRIPTION)
    .version(VERSION, '--version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand(false)
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureHelp({ showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      outputError: () => undefined,
      getOutHelpWidth: () => io.out.columns ?? 100,
      getErrHelpWidth: () => io.err.columns ?? 100,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText(
      'after',
      '\nBegin here:\n  modfleet kmods hosts e1000e      which hosts run it\n  modfleet help selectors          how hosts are chosen\n  modfleet help exit-codes         what scripts can rely on\n  modfleet help environment        settings and where they are kept',
    );
  for (const register of NOUNS) register(program, run);
  return program;
}

/** Runs one command line (without "node" and the script) and says how it ended. Never throws, never exits. */
export async function runCommandLine(argv: readonly string[], context: Context): Promise<ExitCode> {
  let code: ExitCode = EXIT.ok;
  const program = buildProgram(context.io, async (body) => {
    code = await body(context);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    // A noun without a verb: commander has printed its help.
    if (error instanceof CommanderError && error.code === 'commander.help') return EXIT.usage;
    if (!(error instanceof CommanderError)) return reportError(error, context.io);
    const harmless = () => buildProgram(context.io, () => Promise.resolve());
    return reportError(parseError(await unknownOptionFirst(error, harmless, argv), program, argv), context.io);
  }
}

function parseError(error: CommanderError, program: Command, argv: readonly string[]): CliError {
  const command = commandAt(program, argv);
  const words = commandPath(command);
  const [message = '', ...more] = error.message.replace(/^error: /, '').split('\n');
  const hints = more.map((line) => line.replace(/^\((.*)\)$/, '$1')).filter((line) => line !== '');
  // "-r" may be meant as a name; "--param" on an unload is just an option that it has not.
  const short = error.code === 'commander.unknownOption' && /'-[^-]/.test(message);
  if (short && hints.length === 0 && words.includes(' kmods ')) hints.push('a kmod name never begins with "-"');
  return new CliError(message, { exitCode: EXIT.usage, hints: [...hints, `see: ${words} --help`] });
}
