import { Option } from 'commander';
import {
  allPagesOption,
  atOption,
  durationOption,
  includeUnknownOption,
  jsonOption,
  limitOption,
  outputOption,
  selectorOption,
} from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { hostName, kmodName } from '../command-line/values.ts';
import type { HostDiffOptions } from './host-diff.run.ts';
import type { HostEventsOptions } from './host-events.run.ts';
import type { HostShowOptions } from './host-show.run.ts';
import type { LabelOptions } from './hosts-label.run.ts';
import type { HostsListOptions } from './hosts-list.run.ts';
import type { ReleaseOptions } from './hosts-release.run.ts';
import type { RetireOptions } from './hosts-retire.run.ts';
import type { RevokeOptions } from './hosts-revoke.run.ts';

/** Events are kept for 90 days unless the server is told otherwise. */
const EVENT_AGE = { min: 1000, max: 366 * 86_400_000 };

export const registerHosts: Register = (program, run) => {
  const hosts = program.command('hosts').helpCommand(false).description('the machines of the fleet');

  hosts
    .command('list')
    .description('hosts, with their connection, kernel and labels')
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(new Option('--name <glob>', 'only names that match, for example "web-*"'))
    .option('--include-retired', 'also retired hosts')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .addOption(outputOption())
    .action((options: HostsListOptions) =>
      run(async (context) => (await import('./hosts-list.run.ts')).hostsList(context, options)),
    );

  hosts
    .command('show')
    .description('one host: facts, policy, what it reports and how fresh that is')
    .argument('<host>', 'name or id', hostName)
    .addOption(atOption('what it had loaded then, and whether it was connected'))
    .addOption(jsonOption())
    .action((host: string, options: HostShowOptions) =>
      run(async (context) => (await import('./host-show.run.ts')).hostShow(context, host, options)),
    );

  hosts
    .command('diff')
    .description('in what two hosts differ: kernel, loaded kmods and their builds, parameters, configuration, devices')
    .argument('<a>', 'name or id', hostName)
    .argument('<b>', 'name or id', hostName)
    .option('--exit-status', 'exit 0: the same; 1: they differ; 8: not all of it is known now')
    .addOption(jsonOption())
    .action((a: string, b: string, options: HostDiffOptions) =>
      run(async (context) => (await import('./host-diff.run.ts')).hostDiff(context, a, b, options)),
    );

  hosts
    .command('events')
    .description('kmods that came and went on a host, latest first, and by which action')
    .argument('<host>', 'name or id', hostName)
    .addOption(new Option('--kmod <name>', 'of this kmod only').argParser(kmodName))
    .addOption(durationOption('--since <time>', 'not older than this, for example 1h', EVENT_AGE))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((host: string, options: HostEventsOptions) =>
      run(async (context) => (await import('./host-events.run.ts')).hostEvents(context, host, options)),
    );

  hosts
    .command('label')
    .description('set (key=value) or remove (key-) labels of hosts')
    .argument('<words...>', 'hosts (names or ids), then labels: key=value sets, key- removes')
    .addOption(selectorOption())
    .option('--all', 'all hosts')
    .addOption(jsonOption())
    .action((words: string[], options: LabelOptions) =>
      run(async (context) => (await import('./hosts-label.run.ts')).hostsLabel(context, words, options)),
    );

  hosts
    .command('retire')
    .description('take a host out of the fleet; a machine that comes back has to join anew')
    .argument('<host>', 'name or id', hostName)
    .option('--reason <text>', 'why; kept with the host')
    .option('-y, --yes', 'do not ask')
    .addOption(jsonOption())
    .action((host: string, options: RetireOptions) =>
      run(async (context) => (await import('./hosts-retire.run.ts')).hostsRetire(context, host, options)),
    );

  hosts
    .command('revoke')
    .description(
      'take a host its access at once, for example because its key was stolen; it stays listed until it is retired',
    )
    .argument('<host>', 'name or id', hostName)
    .requiredOption('--reason <text>', 'why; kept with the host')
    .option('-y, --yes', 'do not ask')
    .addOption(jsonOption())
    .action((host: string, options: RevokeOptions) =>
      run(async (context) => (await import('./hosts-revoke.run.ts')).hostsRevoke(context, host, options)),
    );

  hosts
    .command('release')
    .description('let a host out of quarantine, once one machine alone has its identity')
    .argument('<host>', 'name or id', hostName)
    .option('--reason <text>', 'why; for the record')
    .option('-y, --yes', 'do not ask')
    .addOption(jsonOption())
    .action((host: string, options: ReleaseOptions) =>
      run(async (context) => (await import('./hosts-release.run.ts')).hostsRelease(context, host, options)),
    );
};
