import type { Readable, Writable } from 'node:stream';
import { Command, Option } from 'commander';
import { COLLECT_AVAILABLE_COMMAND, collectAvailableCommand } from './commands/collect-available.ts';
import { checkCommand } from './commands/check.ts';
import { inspectCommand } from './commands/inspect.ts';
import { joinCommand } from './commands/join.ts';
import { makeCertificateRequestCommand } from './commands/make-certificate-request.ts';
import { revertByHand } from './commands/revert.ts';
import { runAgent } from './commands/run.ts';
import { verdictCommand } from './commands/verdict.ts';
import { DEFAULT_CONFIG_PATH } from './config/agent-config.ts';
import { loadConfig } from './config/load-config.ts';
import { CERTIFICATE_REQUEST_COMMAND } from './identity/certificate-requests.ts';
import { createLog } from './log.ts';
import { AGENT_VERSION } from './version.ts';

/** What the program needs of its surroundings. */
export interface ProgramIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: Writable;
  /** Aborted by SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
  /** Sets the exit code: 0 done, 1 a negative answer or failure, 2 bad use. */
  readonly exit: (code: number) => void;
}

interface ConfigOption {
  readonly config?: string;
}

const configOption = (): Option => new Option('--config <file>', `settings (default: ${DEFAULT_CONFIG_PATH})`);

/** The command line of the agent. */
export function buildProgram(io: ProgramIo): Command {
  const program = new Command('modfleet-agent')
    .description(
      'Reports this machine to a modfleet server, and loads or unloads kernel modules (kmods) when it is allowed to.',
    )
    .version(AGENT_VERSION, '--version')
    .showHelpAfterError('(modfleet-agent --help shows what there is)')
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });

  program
    .command('run', { isDefault: true })
    .description('run the agent (default)')
    .addOption(configOption())
    // An unknown command arrives here, because this one is the default.
    .allowExcessArguments()
    .action(async (options: ConfigOption, command: Command) => {
      const [unknown] = command.args;
      if (unknown !== undefined) command.error(`error: there is no command ${JSON.stringify(unknown)}`);
      const config = await loadConfig(options.config);
      await runAgent({ config, configFile: options.config, log: createLog(config.log_level), signal: io.signal });
    });

  program
    .command('join')
    .description('make this machine a host, with a join string from "modfleet join-tokens create"')
    .option('--server <host:port>', 'identity listener of the server (default: as in the settings)')
    .addOption(
      new Option('--token <string>', 'the join string; other users of this machine can see it').conflicts('tokenFile'),
    )
    .option('--token-file <file>', 'file with the join string; - is stdin (default: join_file of the settings)')
    .option('--replace', 'become a new host although this machine already is one', false)
    .addOption(configOption())
    .action(
      async (options: ConfigOption & { server?: string; token?: string; tokenFile?: string; replace: boolean }) => {
        await joinCommand({
          config: await loadConfig(options.config),
          configFile: options.config,
          server: options.server,
          token: options.token,
          tokenFile: options.tokenFile,
          replace: options.replace,
          stdin: io.stdin,
          stdout: io.stdout,
          stderr: io.stderr,
        });
      },
    );

  program
    .command('check')
    .description('what can be reported and done on this machine, and why not')
    .option('--json', 'as JSON', false)
    .addOption(configOption())
    .action(async (options: ConfigOption & { json: boolean }) => {
      const config = await loadConfig(options.config);
      io.exit(await checkCommand({ config, configFile: options.config, json: options.json, stdout: io.stdout }));
    });

  program
    .command('inspect')
    .description('every facet as the agent sees it')
    .option('--root <dir>', 'a captured root tree instead of this machine', '/')
    .option('--json', 'as JSON', false)
    .action(async (options: { root: string; json: boolean }) => {
      io.exit(await inspectCommand({ ...options, stdout: io.stdout }));
    });

  program
    .command('verdict')
    .description('what this machine would say of an action; nothing is touched')
    .argument('<verb>', 'load, unload, reload, ensure_loaded, ensure_unloaded or set_parameters')
    .argument('<name...>', 'the kmod, or several')
    .option(
      '--param <name=value>',
      'a parameter of the load; may be repeated',
      (one: string, all: string[]) => [...all, one],
      [],
    )
    .option('--root <dir>', 'a captured root tree instead of this machine', '/')
    .option('--json', 'as JSON', false)
    .addOption(configOption())
    .action(
      async (
        verb: string,
        names: string[],
        options: ConfigOption & { param: string[]; root: string; json: boolean },
      ) => {
        const config = await loadConfig(options.config);
        io.exit(
          await verdictCommand({
            verb,
            names,
            param: options.param,
            root: options.root,
            json: options.json,
            policy: { mode: config.mode, ...config.policy },
            stateDir: config.state_dir,
            stdout: io.stdout,
          }),
        );
      },
    );

  program
    .command('revert')
    .description('end an open confirm window now by putting this machine back; its timer and boot start this, too')
    .option('--state-dir <dir>', 'folder of the window (default: where the helper of this machine keeps it)')
    .addOption(configOption())
    .action(async ({ stateDir, config }: ConfigOption & { stateDir?: string }) => {
      io.exit(await revertByHand({ stateDir, configFile: config, stdout: io.stdout, log: createLog('info') }));
    });

  program
    .command(COLLECT_AVAILABLE_COMMAND, { hidden: true })
    .requiredOption('--root <dir>')
    .requiredOption('--release <release>')
    .action((options: { root: string; release: string }) => collectAvailableCommand({ ...options, stdout: io.stdout }));

  program.command(CERTIFICATE_REQUEST_COMMAND, { hidden: true }).action(() => makeCertificateRequestCommand(io));

  return program;
}
