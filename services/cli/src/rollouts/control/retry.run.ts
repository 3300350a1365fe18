import type { RetryRolloutBody, Rollout } from '@modfleet/server/api-types';
import { path } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors/cli-error.ts';
import type { ExitCode } from '../../errors/exit-codes.ts';
import { tellCreated, type FollowOptions } from '../create/tell-created.ts';
import { rolloutFields } from '../follow/rollout-output.ts';
import { settingsOf, type RolloutSettings } from '../options/settings.ts';

export interface RetryOptions extends FollowOptions {
  readonly failed?: boolean;
  readonly unreached?: boolean;
}

/** `modfleet rollouts retry ID --failed|--unreached`: a new rollout, of those hosts alone. */
export async function retryRollout(
  context: Context,
  id: string,
  options: RetryOptions & RolloutSettings,
): Promise<ExitCode> {
  const fields = rolloutFields(options.json);
  if (options.failed === options.unreached)
    throw usageError(
      'say which hosts are tried again: --failed or --unreached',
      '--failed: refused, failed, reverted, drifted, interrupted, expired',
      '--unreached: unreachable, or their turn did not come',
    );
  const body: RetryRolloutBody = { what: options.failed ? 'failed' : 'unreached', ...settingsOf(options) };
  const rollout = await context
    .api()
    .change<Rollout>({ method: 'POST', path: path`/rollouts/${id}/retry`, body, asked: { rollout: id } });
  return tellCreated(context, rollout, options, fields);
}
