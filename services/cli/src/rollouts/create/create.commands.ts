import { type Command, Option } from 'commander';
import { durationOption, jsonOption } from '../../command-line/options.ts';
import type { Register } from '../../command-line/runner.ts';
import { planId, rolloutId } from '../ids.ts';
import { WATCH_TIMEOUT } from '../follow/watch-options.ts';
import { withSettings, type RolloutSettings } from '../options/settings.ts';
import type { RetryOptions } from '../control/retry.run.ts';
import type { CreateOptions } from './create.run.ts';

const CREATE_NOTE = `
Examples:
  modfleet rollouts create PLAN --waves 1,10%,100% --canary --bake 5m --budget failed=2%,unreachable=5% --watch
  modfleet rollouts create PLAN --concurrency unlimited --deadline 10m --budget wave.failed=1 --on-budget roll-back
  modfleet rollouts create -f rollout.yaml --dry-run

A file says all of it, and what to plan (docs/rollout-file.md); options beside it stand in place of what it says.
A limit is exceeded, not met: failed=2 stops at the third host. Hosts that are not connected never count as done.`;

const RETRY_NOTE = `
A new rollout, of those hosts alone and with the same plan; options are those of "rollouts create", and nothing is taken over from the rollout before.

Examples:
  modfleet rollouts retry ID --unreached --deadline 12h
  modfleet rollouts retry ID --failed --waves 1,100% --watch`;

export const registerCreate: Register = (rollouts, run) => {
  withFollow(
    withSettings(
      rollouts
        .command('create')
        .description('begin what was planned, in waves and within a budget; with -f all of it from a file')
        .argument('[plan]', 'id of the plan', planId)
        .addOption(new Option('-f, --file <file>', 'read it from this YAML file; "-": standard input'))
        .option('--dry-run', 'only say what would be asked for, and the waves in hosts; nothing is asked of any host'),
    ),
  )
    .option('-y, --yes', 'with a file that asks for a plan: do not ask before beginning it')
    .addHelpText('after', CREATE_NOTE)
    .action((plan: string | undefined, options: CreateOptions & RolloutSettings) =>
      run(async (context) => (await import('./create.run.ts')).createRollout(context, plan, options)),
    );

  withFollow(
    withSettings(
      rollouts
        .command('retry')
        .description('a new rollout of the hosts that failed, or were not reached')
        .argument('<id>', 'id of the rollout that has ended', rolloutId)
        .option('--failed', 'those that refused, failed, reverted, drifted, were interrupted or expired')
        .option('--unreached', 'those that were unreachable, or whose turn did not come'),
    ),
  )
    .addHelpText('after', RETRY_NOTE)
    .action((id: string, options: RetryOptions & RolloutSettings) =>
      run(async (context) => (await import('../control/retry.run.ts')).retryRollout(context, id, options)),
    );
};

function withFollow(command: Command): Command {
  return command
    .option('--watch', 'follow it to its end')
    .option('--exit-status', 'with --watch: exit 0 only when every host is as asked (help: modfleet help exit-codes)')
    .addOption(durationOption('--timeout <time>', 'with --watch: follow it for so long at most', WATCH_TIMEOUT))
    .addOption(jsonOption());
}
