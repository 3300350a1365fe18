import { type Command, Option } from 'commander';
import type { CreateRolloutBody } from '@modfleet/server/api-types';
import { duration, oneOf, type DurationRange } from '../../command-line/values.ts';
import { usageError } from '../../errors/cli-error.ts';
import { concurrency, waves } from './amount.ts';
import { budget, type Budget } from './budget.ts';
import { order } from './order.ts';

/** How a rollout is carried out: all that is optional when it is created. */
export type RolloutSettings = Omit<CreateRolloutBody, 'plan'>;

const SECOND = 1000;
const DAY = 86_400 * SECOND;
export const BAKE: DurationRange = { min: 0, max: 7 * DAY };
export const DEADLINE: DurationRange = { min: 10 * SECOND, max: 30 * DAY };
export const ON_BUDGET = ['pause', 'abort', 'roll-back'] as const;
export const OFFLINE = ['wait', 'skip'] as const;

/** A time in whole seconds, never less than was asked for. */
export function secondsOf(option: string, text: string, range: DurationRange): number {
  return Math.ceil(duration(option, text, range) / SECOND);
}

/** What is done when a budget is exceeded, in the API's spelling. */
export function onBudget(option: string, text: string): 'pause' | 'abort' | 'roll_back' {
  const word = oneOf(option, ON_BUDGET)(text.replaceAll('_', '-'));
  return word === 'roll-back' ? 'roll_back' : word;
}

/** A reason that says something. */
export function reason(option: string, text: string): string {
  if (text.trim() === '') throw usageError(`${option} is empty`);
  return text;
}

/** Adds the options of a rollout to a command. */
export function withSettings(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--waves <amounts>',
        'how far each wave reaches, growing: 1,10%,100% (default: one wave of all)',
      ).argParser((text) => waves('--waves', text)),
    )
    .option('--canary', 'first a wave of one host of each kernel release and kind of hardware')
    .addOption(
      new Option(
        '--concurrency <amount>',
        'hosts under way at a time: 50, 5%, or unlimited (default: the smaller of 50 and 5%, at least 1)',
      ).argParser((text) => concurrency('--concurrency', text)),
    )
    .addOption(
      new Option('--bake <time>', 'wait after each wave, before its hosts are looked at again (default: 1m)').argParser(
        (text) => secondsOf('--bake', text, BAKE),
      ),
    )
    .addOption(
      new Option(
        '--budget <limits>',
        'how many hosts may fail, by kind: failed=2%,unreachable=5%,wave.failed=1 (default: 0 of each; refused and unreachable without limit)',
      ).argParser((text, previous?: Budget) => budget('--budget', text, previous)),
    )
    .addOption(
      new Option(
        '--on-budget <word>',
        'when a limit is exceeded: pause, abort or roll-back (default: pause)',
      ).argParser((text) => onBudget('--on-budget', text)),
    )
    .addOption(
      new Option('--deadline <time>', 'nothing begins later than this after its creation (default: 1h)').argParser(
        (text) => secondsOf('--deadline', text, DEADLINE),
      ),
    )
    .addOption(
      new Option(
        '--offline <word>',
        'hosts that are not connected: wait for them until the deadline while the waves go on, or skip them (default: wait)',
      ).argParser(oneOf('--offline', OFFLINE)),
    )
    .addOption(
      new Option('--order <order>', 'random, random:SEED, or label:KEY (default: random)').argParser((text) =>
        order('--order', text),
      ),
    )
    .option('--require-approval', 'begins only when somebody else has approved it')
    .addOption(
      new Option('--reason <text>', 'why; kept with the rollout').argParser((text) => reason('--reason', text)),
    );
}

const SETTINGS = [
  'waves',
  'canary',
  'concurrency',
  'bake',
  'budget',
  'onBudget',
  'deadline',
  'offline',
  'order',
  'requireApproval',
  'reason',
] as const satisfies readonly (keyof RolloutSettings)[];

/** The settings among the options of a command. */
export function settingsOf(options: RolloutSettings): RolloutSettings {
  return Object.fromEntries(
    SETTINGS.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]]])),
  ) as RolloutSettings;
}
