import type { Rollout } from '@modfleet/server/api-types';
import type { Context } from '../../context.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { clean } from '../../output/clean.ts';
import type { JsonOption } from '../../output/json-fields.ts';
import { noteFreeze } from '../../output/page.ts';
import { count } from '../../output/words.ts';
import { printRollout } from '../follow/rollout-output.ts';
import { followToEnd } from '../follow/show.run.ts';
import { task } from '../verbs.ts';

export interface FollowOptions {
  readonly watch?: boolean;
  readonly exitStatus?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly json?: JsonOption;
}

/** Says that a rollout is there, and follows it where that is wanted. */
export async function tellCreated(
  context: Context,
  rollout: Rollout,
  options: FollowOptions,
  fields: readonly string[] | undefined,
): Promise<ExitCode> {
  const { io } = context;
  noteFreeze(rollout.freeze, io);
  const begins = rollout.state === 'awaiting_approval' ? 'it awaits approval' : 'it begins';
  io.err.write(
    `Rollout ${rollout.id}: ${clean(task(rollout))} on ${count(rollout.counts.total, 'host')} in ${count(rollout.waves.length, 'wave')}; ${begins}.\n`,
  );
  if (!options.watch) {
    printRollout(rollout, fields, io);
    return EXIT.ok;
  }
  return followToEnd(context, rollout.id, options, (last) => printRollout(last, fields, io));
}
