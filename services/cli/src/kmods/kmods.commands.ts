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
import { hostName, kmodName, kmodOrAlias, someOf } from '../command-line/values.ts';
import {
  allHostsOption,
  confirmWindowOption,
  hostsOption,
  overrideOption,
  paramOption,
} from '../rollouts/plan/plan-options.ts';
import type { ActOptions } from './act.run.ts';
import type { KmodHostsOptions } from './kmod-hosts.run.ts';
import type { KmodsListOptions } from './kmods-list.run.ts';
import type { KmodShowOptions } from './kmod-show.run.ts';
import { SKEW_KINDS } from './skew-columns.ts';
import type { SkewOptions } from './skew.run.ts';
import { PRESENCES } from './presences.ts';

const EXPIRY = { min: 5_000, max: 86_400_000 };
const QUERY_TIMEOUT = { min: 100, max: 30_000 };

const SKEW_NOTE = `
Hosts are compared among those of one kernel (release, build, architecture): another kernel has other builds, and that is no skew. What is worth a look:

  builds, versions  several under one kernel: somebody built one, or replaced a file
  file differs      loaded code is not that of the file on disk: an update that waits for a reload or reboot, or a swapped file
  no file           loaded, and the host's tree has no file of it: loaded from elsewhere, or its package is gone
  out of tree       the kernel marks it so (taint O): DKMS, a vendor, or somebody
  unsigned          the kernel marks it so (taint E), or its file names no signer while others of that tree do
  signers           the file is signed by somebody else than on most hosts of that kernel

Hosts that are not fresh are in no figure: the last line says how many. Parameters are compared when a kmod is named, on at most 2,000 hosts.
FIRST SEEN is the first event on record: who had it first. Empty: it was there when its hosts first reported, or events of then are gone.`;

export const registerKmods: Register = (program, run) => {
  const kmods = program
    .command('kmods')
    .helpCommand(false)
    .description('kernel modules over the fleet: who has them; load, unload, reload one on a host');

  kmods
    .command('hosts')
    .description('which hosts run a kmod (an alias or a driver name finds its kmod)')
    .argument('<name>', 'kmod, alias or driver name; "-" and "_" are one', kmodOrAlias)
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(
      new Option(
        '--presence <words>',
        'only these: loaded, builtin, on_disk, absent, unknown, any (default: loaded,builtin and, on a terminal, unknown)',
      ).argParser(someOf('--presence', PRESENCES)),
    )
    .addOption(atOption('which had it loaded then').conflicts('live'))
    .option('--live', 'ask every matching host now; shows reference counts and holders')
    .addOption(
      durationOption(
        '--timeout <time>',
        'with --live: how long to wait while no answer comes (default: 2s)',
        QUERY_TIMEOUT,
      ),
    )
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(outputOption())
    .option('--exit-status', 'exit 0: complete, some host runs it; 1: complete, none does; 8: some hosts are unknown')
    .addOption(jsonOption())
    .action((name: string, options: KmodHostsOptions) =>
      run(async (context) => (await import('./kmod-hosts.run.ts')).kmodHosts(context, name, options)),
    );

  kmods
    .command('list')
    .description('kmods with the number of hosts that run them; with --host, those of one host')
    .addOption(new Option('--name <glob>', 'only names that match, for example "nf_*"'))
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(new Option('--host <host>', 'of this host only').argParser(hostName).conflicts('selector'))
    .addOption(
      new Option('--presence <words>', 'only these: loaded, builtin, on_disk, any (default: loaded,builtin)').argParser(
        someOf('--presence', ['loaded', 'builtin', 'on_disk', 'any'] as const),
      ),
    )
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .addOption(outputOption())
    .action((options: KmodsListOptions) =>
      run(async (context) => (await import('./kmods-list.run.ts')).kmodsList(context, options)),
    );

  kmods
    .command('show')
    .description('one kmod: what it is, how many hosts have it, in which builds, how it is blocked')
    .argument('<name>', 'kmod, alias or driver name', kmodOrAlias)
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(jsonOption())
    .action((name: string, options: KmodShowOptions) =>
      run(async (context) => (await import('./kmod-show.run.ts')).kmodShow(context, name, options)),
    );

  kmods
    .command('skew')
    .description('kmods that are not the same where they should be; of one kmod: in which ways it is loaded, and where')
    .argument('[name]', 'kmod, alias or driver name; without it: all that are odd', kmodOrAlias)
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(new Option('--name <glob>', 'without a name: only names that match, for example "nf_*"'))
    .addOption(
      new Option('--kind <words>', `without a name: only these: ${SKEW_KINDS.join(', ')}`).argParser(
        someOf('--kind', SKEW_KINDS),
      ),
    )
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .addHelpText('after', SKEW_NOTE)
    .action((name: string | undefined, options: SkewOptions) =>
      run(async (context) => (await import('./skew.run.ts')).kmodsSkew(context, name, options)),
    );

  for (const verb of ['load', 'unload', 'reload'] as const) {
    const command = kmods
      .command(verb)
      .description(DESCRIPTIONS[verb])
      .argument('<name>', 'kmod; "-" and "_" are one', kmodName)
      .addOption(hostsOption('the host, name or id; several, -l or --all: only planned, to be begun as a rollout'))
      .addOption(selectorOption())
      .addOption(allHostsOption())
      .option('--dry-run', 'only say what would happen: findings, verdict and plan')
      .option('--watch', 'wait for the end and tell how it went')
      .option('--reason <text>', 'why; kept with the action')
      .addOption(durationOption('--expires-in <time>', 'no step begins later than this (default: 2m)', EXPIRY))
      .addOption(confirmWindowOption())
      .addOption(overrideOption())
      .addOption(jsonOption())
      .action((name: string, options: ActOptions) =>
        run(async (context) => (await import('./act.run.ts')).act(context, verb, name, options)),
      );
    if (verb !== 'unload') command.addOption(paramOption('parameter of the load; may be given several times'));
    command.addHelpText('after', actNote(verb));
  }
};

const DESCRIPTIONS = {
  load: 'load a kmod on one host, or plan it for many',
  unload: 'unload a kmod on one host, or plan it for many; it says what can bring it back',
  reload: 'unload a kmod on one host, then load it; or plan it for many',
} as const;

function actNote(verb: keyof typeof DESCRIPTIONS): string {
  return `
On one host it is done at once. For more (-l, --all, several --host) every host is asked what it would do, and that is shown; nothing is touched before
the rollout is created with the command in the last line.

Examples:
  modfleet kmods ${verb} floppy --host web-1 --watch
  modfleet kmods ${verb} floppy -l env=prod`;
}
