import { Option } from 'commander';
import type { RolloutStateWord, RolloutTargetOutcomeWord, RolloutTargetStateWord } from '@modfleet/server/api-types';
import { OUTCOMES } from '../../actions/actions.commands.ts';
import { allPagesOption, durationOption, jsonOption, limitOption } from '../../command-line/options.ts';
import type { Register } from '../../command-line/runner.ts';
import { usageError } from '../../errors/cli-error.ts';
import { closest } from '../../command-line/closest.ts';
import { rolloutId } from '../ids.ts';
import type { RolloutShowOptions, RolloutsListOptions, RolloutWatchOptions } from './show.run.ts';
import { WATCH_TIMEOUT } from './watch-options.ts';

const STATES = [
  'awaiting_approval',
  'running',
  'paused',
  'aborting',
  'rolling_back',
  'succeeded',
  'failed',
  'aborted',
  'rolled_back',
] as const satisfies readonly RolloutStateWord[];

const TARGET_STATES = [
  'pending',
  'waiting',
  'dispatched',
  'running',
  'ended',
] as const satisfies readonly RolloutTargetStateWord[];

const TARGET_OUTCOMES = [
  ...OUTCOMES,
  'unreachable',
  'drifted',
  'not_run',
] as const satisfies readonly RolloutTargetOutcomeWord[];

const WATCH_NOTE = `
Drawn anew on a terminal, line by line elsewhere. A connection that breaks is taken up where it was. A pause is no end, since somebody may let it go on:
what the next command is, is told.

With --exit-status, for scripts:
  0  it succeeded whole: every host is as asked, and healthy after its wave
  1  it failed (some host is not as asked, or nobody can say), was aborted, or rolled back
  6  with --timeout: the time is over, and it is paused or awaits approval
  7  with --timeout: the time is over, and it is still under way
Without it: 0, once it has ended or the time is over.`;

export const registerFollow: Register = (rollouts, run) => {
  rollouts
    .command('list')
    .description('rollouts, latest first')
    .addOption(new Option('--state <word>', `one of ${STATES.join(', ')}`).argParser(wordOf('--state', STATES)))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: RolloutsListOptions) =>
      run(async (context) => (await import('./show.run.ts')).rolloutsList(context, options)),
    );

  rollouts
    .command('show')
    .description(
      'a rollout: how it stands, its waves, what failed and why; with --targets, or what narrows them, its hosts',
    )
    .argument('<id>', 'id of the rollout', rolloutId)
    .option('--targets', 'its hosts')
    .addOption(
      new Option('--state <word>', `only hosts that are ${TARGET_STATES.join(', ')}`).argParser(
        wordOf('--state', TARGET_STATES),
      ),
    )
    .addOption(
      new Option('--outcome <word>', `only hosts that ended so: ${TARGET_OUTCOMES.join(', ')}`).argParser(
        wordOf('--outcome', TARGET_OUTCOMES),
      ),
    )
    .addOption(new Option('--wave <n>', 'only hosts of this wave; the first is 0').argParser(waveNumber))
    .option('--unhealthy', 'only hosts that were not healthy after their wave')
    .option('--notes', 'what happened, and when')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((id: string, options: RolloutShowOptions) =>
      run(async (context) => (await import('./show.run.ts')).rolloutShow(context, id, options)),
    );

  rollouts
    .command('watch')
    .description('follow a rollout to its end')
    .argument('<id>', 'id of the rollout', rolloutId)
    .option('--exit-status', 'exit 0 only when every host is as asked (help: modfleet help exit-codes)')
    .addOption(durationOption('--timeout <time>', 'follow it for so long at most', WATCH_TIMEOUT))
    .addOption(jsonOption())
    .addHelpText('after', WATCH_NOTE)
    .action((id: string, options: RolloutWatchOptions) =>
      run(async (context) => (await import('./show.run.ts')).rolloutWatch(context, id, options)),
    );
};

/** One of a few words, with "-" or "_" between their parts. */
function wordOf<W extends string>(option: string, words: readonly W[]): (text: string) => W {
  return (text) => {
    const word = words.find((each) => each === text.replaceAll('-', '_'));
    if (word !== undefined) return word;
    const meant = closest(text, words);
    throw usageError(
      `${option} takes one of ${words.join(', ')}; not ${JSON.stringify(text.slice(0, 32))}`,
      ...(meant === undefined ? [] : [`did you mean ${meant}?`]),
    );
  };
}

function waveNumber(text: string): number {
  if (!/^[0-9]{1,3}$/.test(text))
    throw usageError(`--wave takes the number of a wave, the first is 0; not ${JSON.stringify(text.slice(0, 32))}`);
  return Number(text);
}
