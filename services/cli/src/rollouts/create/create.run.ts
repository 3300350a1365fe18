import type { CreatePlanBody, CreateRolloutBody, Rollout, RolloutPlan } from '@modfleet/server/api-types';
import type { Api } from '../../api/api.ts';
import { readText } from '../../config/cli-config.ts';
import type { Context } from '../../context.ts';
import { CliError, usageError } from '../../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { clean } from '../../output/clean.ts';
import { noteFreeze } from '../../output/page.ts';
import { count, shellWord } from '../../output/words.ts';
import { readRolloutFile, type RolloutFile } from '../file/rollout-file.ts';
import { rolloutFields } from '../follow/rollout-output.ts';
import { typedSettings } from '../options/typed-settings.ts';
import { settingsOf, type RolloutSettings } from '../options/settings.ts';
import { makePlan } from '../plan/make-plan.ts';
import { renderPlan } from '../plan/plan.page.ts';
import { task } from '../verbs.ts';
import { createDryRun } from './dry-run.run.ts';
import { tellCreated, type FollowOptions } from './tell-created.ts';

export interface CreateOptions extends FollowOptions {
  readonly file?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/** `modfleet rollouts create PLAN`, or all of it from a file. Options beside a file stand in place of what it says. */
export async function createRollout(
  context: Context,
  planId: string | undefined,
  options: CreateOptions & RolloutSettings,
): Promise<ExitCode> {
  const file: RolloutFile = options.file === undefined ? { settings: {} } : await read(context, options.file);
  if (planId !== undefined && file.plan !== undefined)
    throw usageError(
      'the plan is named twice: on the command line and in the file',
      `take it out of one of them: the file is ${options.file === '-' ? 'standard input' : (options.file ?? '')}`,
    );
  const plan = planId ?? file.plan;
  if (plan === undefined)
    throw usageError(
      options.file === undefined ? 'say which plan' : 'the file has no plan, and the command line names none',
      'the hosts are asked first: modfleet rollouts plan unload NAME -l SELECTOR',
      'then: modfleet rollouts create PLAN',
      'or all of it from a file: modfleet rollouts create -f rollout.yaml (docs/rollout-file.md)',
    );
  const settings = { ...file.settings, ...settingsOf(options) };
  if (options.dryRun) {
    if (options.watch) throw usageError('--dry-run creates nothing that could be watched: leave out --watch');
    const from = [
      ...(planId === undefined ? [] : [planId]),
      ...(options.file === undefined ? [] : ['-f', options.file]),
    ];
    const again = ['modfleet rollouts create', ...[...from, ...typedSettings(settingsOf(options))].map(shellWord)].join(
      ' ',
    );
    return createDryRun(context, plan, settings, { again, json: options.json });
  }
  if ((options.exitStatus || options.timeout !== undefined) && !options.watch)
    throw usageError('--exit-status and --timeout are about following the rollout: add --watch');
  const fields = rolloutFields(options.json);
  const api = context.api();
  const id = typeof plan === 'string' ? plan : (await plannedAndMeant(context, api, plan, options)).id;
  const body: CreateRolloutBody = { plan: id, ...settings };
  const rollout = await api.change<Rollout>({ method: 'POST', path: '/rollouts', body, asked: { plan: id } });
  return tellCreated(context, rollout, options, fields);
}

async function read({ io }: Context, file: string): Promise<RolloutFile> {
  const content = file === '-' ? await io.input.readAll() : readText(file, 'the rollout');
  return readRolloutFile(file === '-' ? 'standard input' : file, content);
}

/** The plan of a file, made, shown on stderr and meant: nobody has seen it before. */
async function plannedAndMeant(
  context: Context,
  api: Api,
  body: CreatePlanBody,
  options: CreateOptions,
): Promise<RolloutPlan> {
  const { io } = context;
  if (!options.yes && !io.input.isTty)
    throw usageError(
      'the file asks for a plan that nobody has seen, and there is no terminal to ask on',
      `say that the rollout is to begin whatever the hosts answer: modfleet rollouts create -f ${shellWord(options.file ?? '-')} --yes`,
      `or look first: modfleet rollouts create -f ${shellWord(options.file ?? '-')} --dry-run`,
    );
  const plan = await makePlan(api, io, body);
  noteFreeze(plan.freeze, io);
  io.err.write(renderPlan(plan, io, io.err));
  if (!options.yes) {
    const question = `Begin: ${clean(task(plan))} on ${count(plan.counts.total, 'host')}? [y/N] `;
    const answer = await io.input.readLine(question, false);
    if (!/^y(es)?$/i.test(answer.trim()))
      throw new CliError('not created; the plan is there', {
        exitCode: EXIT.negative,
        hints: [`go on with it: modfleet rollouts create ${plan.id}`],
      });
  }
  return plan;
}
