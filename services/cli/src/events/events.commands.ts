import { type Command, Option } from 'commander';
import {
  allPagesOption,
  durationOption,
  includeUnknownOption,
  jsonOption,
  limitOption,
  outputOption,
  selectorOption,
} from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { hostName, kmodOrAlias, oneOf, someOf, uuid } from '../command-line/values.ts';
import { KINDS } from './event-columns.ts';
import type { EventsListOptions } from './events-list.run.ts';
import type { EventsWatchOptions } from './events-watch.run.ts';

/** Events are kept for 90 days unless the server is told otherwise. */
const AGE = { min: 1000, max: 366 * 86_400_000 };

const LIST_NOTE = `
Who changed since yesterday: modfleet events list --since 24h --by-host
What nobody asked for:       modfleet events list --since 24h --by none

"By none of ours" is what no action of modfleet did: a person at the host, a driver that a device asked for, a reboot. A host that was away tells when it is
back, as far as it saw; what came and went between two inventories is seen as a difference (source inventory), with the time at which it was found.
A host's first inventory is no event, and events are kept for 90 days unless the server is told otherwise.`;

const WATCH_NOTE = `
Prints each event once, in the order in which the server stored them, which is not always the order of their times: a host that was away tells late.
A connection that breaks is taken up where it was, and nothing is missed. With --json one object a line.`;

export const registerEvents: Register = (program, run) => {
  const events = program
    .command('events')
    .helpCommand(false)
    .description('kmods that came, went or changed, and by which action');

  withFilters(
    events.command('list').description('events of all hosts, latest first; with --by-host which hosts changed'),
  )
    .addOption(durationOption('--since <time>', 'not older than this, for example 24h', AGE))
    .addOption(durationOption('--until <time>', 'older than this, for example 1h', AGE))
    .option('--by-host', 'one row a host that changed (without --since: in the last 24 hours)')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .addOption(outputOption())
    .addHelpText('after', LIST_NOTE)
    .action((options: EventsListOptions) =>
      run(async (context) => (await import('./events-list.run.ts')).eventsList(context, options)),
    );

  withFilters(events.command('watch').description('follow events as they happen, until Ctrl-C'))
    .addOption(jsonOption())
    .addHelpText('after', WATCH_NOTE)
    .action((options: EventsWatchOptions) =>
      run(async (context) => (await import('./events-watch.run.ts')).eventsWatch(context, options)),
    );
};

function withFilters(command: Command): Command {
  return command
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(new Option('--host <host>', 'of this host only: name or id').argParser(hostName))
    .addOption(new Option('--kmod <name>', 'of this kmod only').argParser(kmodOrAlias))
    .addOption(new Option('--kind <words>', `only these: ${KINDS.join(', ')}`).argParser(someOf('--kind', KINDS)))
    .addOption(
      new Option('--by <word>', 'action: done by an action of ours; none: by none of ours').argParser(
        oneOf('--by', ['action', 'none'] as const),
      ),
    )
    .addOption(
      new Option('--action <id>', 'done by this action').argParser((text) =>
        uuid('an action', text, 'modfleet actions list'),
      ),
    );
}
