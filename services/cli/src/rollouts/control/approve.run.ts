import type { ApproveRolloutBody, ControlledRollout, Rollout, RolloutPlan } from '@modfleet/server/api-types';
import { path } from '../../api/api.ts';
import type { Context } from '../../context.ts';
import { CliError, usageError } from '../../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { clean } from '../../output/clean.ts';
import { jsonFields, type JsonOption } from '../../output/json-fields.ts';
import { count } from '../../output/words.ts';
import { CONTROL_FIELDS } from '../follow/rollout-output.ts';
import { task } from '../verbs.ts';
import { renderApproval } from './approval.page.ts';
import { tellControl } from './control.run.ts';

export interface ApproveOptions {
  readonly yes?: boolean;
  readonly hash?: string;
  readonly reason?: string;
  readonly json?: JsonOption;
}

/**
 * `modfleet rollouts approve ID`: shows what would be done, where and how, asks, and sends the hash of what was shown. A program says --yes, and with --hash
 * which one it has looked at.
 */
export async function approveRollout(context: Context, id: string, options: ApproveOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, CONTROL_FIELDS);
  if (!options.yes && !io.input.isTty)
    throw usageError(
      'an approval is somebody looking at it, and there is no terminal to ask on',
      `say so: modfleet rollouts approve ${id} --yes`,
      `which one was looked at: --hash HASH (modfleet rollouts show ${id} --json hash)`,
    );
  const api = context.api();
  const rollout = await api.get<Rollout>(path`/rollouts/${id}`, {}, { rollout: id });
  if (rollout.state !== 'awaiting_approval')
    throw new CliError(`the rollout awaits no approval: it is ${rollout.state.replace('_', ' ')}`, {
      exitCode: EXIT.conflict,
      hints: [`how it stands: modfleet rollouts show ${id}`],
    });
  if (options.hash !== undefined && options.hash !== rollout.hash)
    throw new CliError('the rollout is not the one that was looked at: its hash is another', {
      exitCode: EXIT.conflict,
      hints: [`its hash now: ${rollout.hash}`, `look at it: modfleet rollouts show ${id}`],
    });
  const plan = await api.get<RolloutPlan>(path`/rollout-plans/${rollout.plan}`, {}, { plan: rollout.plan });
  io.err.write(renderApproval(rollout, plan, io));
  if (!options.yes) {
    const question = `Approve: ${clean(task(rollout))} on ${count(rollout.counts.total, 'host')}? [y/N] `;
    const answer = await io.input.readLine(question, false);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('not approved', { exitCode: EXIT.negative });
  }
  const body: ApproveRolloutBody = {
    hash: rollout.hash,
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  };
  const answer = await api.change<ControlledRollout>({
    method: 'POST',
    path: path`/rollouts/${id}/approve`,
    body,
    asked: { rollout: id },
  });
  return tellControl(context, answer, 'Approved: it begins.', fields);
}
