import type { ControlledRollout, ControlRolloutBody, RolloutItem } from '@modfleet/server/api-types';
import { path } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { jsonFields, type JsonOption } from '../../output/json-fields.ts';
import { noteFreeze } from '../../output/page.ts';
import { CONTROL_FIELDS, printRollout } from '../follow/rollout-output.ts';

export interface ControlOptions {
  readonly reason?: string;
  readonly json?: JsonOption;
}

/** What can be asked of a rollout, as it is typed. */
export type Control = 'pause' | 'resume' | 'promote' | 'abort' | 'rollback';

const PATHS: Readonly<Record<Control, string>> = {
  pause: 'pause',
  resume: 'resume',
  promote: 'promote',
  abort: 'abort',
  rollback: 'roll-back',
};

/** What it means, once it is carried out. */
const DONE: Readonly<Record<Control, string>> = {
  pause: 'Paused: nothing more is sent. What hosts have begun goes on.',
  resume: 'It goes on; the failures so far count against no budget any more.',
  promote: 'The wait after the wave is over: its hosts are looked at, and the next wave begins.',
  abort: 'Ended as it is: nothing more is sent. What hosts have begun goes on, and nothing is put back.',
  rollback: 'Hosts that were changed are put back. Of those that nobody knows to have changed none is touched.',
};

/** `modfleet rollouts pause|resume|promote|abort|rollback ID`. */
export async function controlRollout(
  context: Context,
  control: Control,
  id: string,
  options: ControlOptions,
): Promise<ExitCode> {
  const fields = jsonFields(options.json, CONTROL_FIELDS);
  const body: ControlRolloutBody = options.reason === undefined ? {} : { reason: options.reason };
  const answer = await context.api().change<ControlledRollout>({
    method: 'POST',
    path: `${path`/rollouts/${id}`}/${PATHS[control]}`,
    body,
    asked: { rollout: id },
  });
  return tellControl(context, answer, DONE[control], fields);
}

/** What came of it: what is only asked for is not told as done. */
export function tellControl(
  context: Context,
  { taken, rollout, freeze }: ControlledRollout,
  done: string,
  fields: readonly string[] | undefined,
): ExitCode {
  const { io } = context;
  noteFreeze(freeze, io);
  io.err.write(
    taken
      ? `${done}\n`
      : `It is asked for, and not carried out yet. Follow it: modfleet rollouts watch ${rollout.id}\n`,
  );
  printRollout(withTaken(rollout, taken), fields, io);
  return EXIT.ok;
}

/** For `--json` alone. */
function withTaken(rollout: RolloutItem, taken: boolean): RolloutItem {
  return Object.assign({ ...rollout }, { taken, freeze: null });
}
