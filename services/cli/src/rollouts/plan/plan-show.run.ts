import type { PlanStandingWord, PlanTargetList, RolloutPlan, RolloutPlanList } from '@modfleet/server/api-types';
import { path } from '../../api/api.ts';
import { fetchPages } from '../../api/pages.ts';
import type { ListOptions } from '../../command-line/options.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { jsonFields } from '../../output/json-fields.ts';
import { printList } from '../../output/list.ts';
import { noteFreeze } from '../../output/page.ts';
import { planColumns, planTargetColumns } from './plan-columns.ts';
import { planFields, printPlan } from './plan-output.ts';

export interface ShowPlanOptions extends ListOptions {
  readonly targets?: boolean;
  readonly standing?: PlanStandingWord;
  readonly code?: string;
  readonly class?: number;
}

const TARGET_FIELDS = [
  'host',
  'standing',
  'code',
  'message',
  'evidence',
  'class',
  'kernelRelease',
  'hardware',
  'action',
] as const;
const LIST_FIELDS = [
  'id',
  'state',
  'verb',
  'kmod',
  'selector',
  'requestedBy',
  'createdAt',
  'expiresAt',
  'hosts',
] as const;

/** `modfleet rollouts show-plan PLAN`; what narrows its hosts lists them. */
export async function showPlan(context: Context, id: string, options: ShowPlanOptions): Promise<ExitCode> {
  const { standing, code, class: of } = options;
  if (options.targets || standing !== undefined || code !== undefined || of !== undefined)
    return planTargets(context, id, options);
  if (options.limit !== undefined || options.allPages)
    throw usageError('--limit and --all-pages are for the hosts of a plan', 'list them: add --targets');
  const fields = planFields(options.json);
  const plan = await context.api().get<RolloutPlan>(path`/rollout-plans/${id}`, {}, { plan: id });
  noteFreeze(plan.freeze, context.io);
  printPlan(plan, fields, context.io);
  return EXIT.ok;
}

async function planTargets(context: Context, id: string, options: ShowPlanOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, TARGET_FIELDS);
  const api = context.api();
  const query = { standing: options.standing, code: options.code, class: options.class };
  const answer = await fetchPages<PlanTargetList>(
    (page) => api.get(path`/rollout-plans/${id}/targets`, { ...query, ...page }, { plan: id }),
    options,
  );
  await printList(io, answer, { fields, columns: planTargetColumns, none: 'No host of the plan is so.' });
  return EXIT.ok;
}

/** `modfleet rollouts list-plans`. */
export async function listPlans(context: Context, options: ListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, LIST_FIELDS);
  const api = context.api();
  const answer = await fetchPages<RolloutPlanList>((page) => api.get('/rollout-plans', { ...page }), options);
  await printList(io, answer, {
    fields,
    columns: planColumns(io.now(), io.timeZone),
    none: 'There is no plan. Make one: modfleet rollouts plan unload NAME -l SELECTOR',
  });
  return EXIT.ok;
}
