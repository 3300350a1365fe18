import { type Command, Option } from 'commander';
import { durationOption, selectorOption } from '../../command-line/options.ts';
import { hostName, parameter } from '../../command-line/values.ts';
import { reason } from '../options/settings.ts';

/** Milliseconds. */
export const CONFIRM_WINDOW = { min: 30_000, max: 600_000 };
export const PLAN_WAIT = { min: 1000, max: 600_000 };

/** `--host`, which may be given several times. */
export const hostsOption = (description: string) =>
  new Option('--host <host>', description).argParser((text: string, previous?: readonly string[]) => [
    ...(previous ?? []),
    hostName(text),
  ]);

export const allHostsOption = () => new Option('--all', 'all hosts');

export const paramOption = (description: string) => new Option('--param <key=value>', description).argParser(parameter);

export const confirmWindowOption = () =>
  durationOption(
    '--confirm-window [time]',
    'for steps that could cut the host off: it must confirm within this, or it puts itself back (30s to 10m, a number alone means seconds; without a time: 2m)',
    CONFIRM_WINDOW,
  );

export const overrideOption = () =>
  new Option(
    '--override <protection>',
    "route: set aside the protection of what carries the host's own connection; only inside a confirm window",
  ).choices(['route']);

/** Adds what a plan is asked for. */
export function withPlanOptions(command: Command): Command {
  return command
    .addOption(selectorOption())
    .addOption(allHostsOption())
    .addOption(hostsOption('this host, name or id; may be given several times'))
    .addOption(paramOption('parameter of the load, or to set; may be given several times'))
    .addOption(confirmWindowOption())
    .addOption(overrideOption())
    .addOption(durationOption('--wait <time>', 'how long hosts have to answer, 1s to 10m (default: 30s)', PLAN_WAIT))
    .addOption(new Option('--reason <text>', 'why; kept with the plan').argParser((text) => reason('--reason', text)));
}
