import { Option } from 'commander';
import { allPagesOption, jsonOption, limitOption, type ListOptions } from '../../command-line/options.ts';
import type { Register } from '../../command-line/runner.ts';
import { kmodName } from '../../command-line/values.ts';
import { usageError } from '../../errors/cli-error.ts';
import { planId } from '../ids.ts';
import { rolloutVerb, VERBS } from '../verbs.ts';
import type { PlanOptions } from './plan.run.ts';
import { withPlanOptions } from './plan-options.ts';
import type { ShowPlanOptions } from './plan-show.run.ts';

const STANDINGS = {
  'would-change': 'would_change',
  unchanged: 'unchanged',
  refused: 'refused',
  unknown: 'unknown',
} as const;

const PLAN_NOTE = `
Every host is asked what it would do, now; nothing is touched. Who does not answer in time is unknown: neither done nor safe.

Examples:
  modfleet rollouts plan unload algif_aead -l env=prod --reason CVE-2026-31431
  modfleet rollouts plan reload e1000e -l '@driver=e1000e' --confirm-window 2m --override route
  modfleet rollouts plan set-parameters nf_conntrack --all --param hashsize=65536
  modfleet rollouts plan ensure-unloaded floppy --host web-1 --host web-2`;

export const registerPlans: Register = (rollouts, run) => {
  withPlanOptions(
    rollouts
      .command('plan')
      .description('ask every host what it would do, and show it in one view; nothing is touched')
      .argument('<verb>', VERBS.join(', '), (text: string) => rolloutVerb('VERB', text))
      .argument('<name>', 'kmod; "-" and "_" are one', kmodName),
  )
    .addOption(jsonOption())
    .addHelpText('after', PLAN_NOTE)
    .action((verb: ReturnType<typeof rolloutVerb>, name: string, options: PlanOptions) =>
      run(async (context) => (await import('./plan.run.ts')).rolloutPlan(context, verb, name, options)),
    );

  rollouts
    .command('show-plan')
    .description('a plan; with --targets, or what narrows them, its hosts one by one')
    .argument('<plan>', 'id of the plan', planId)
    .option('--targets', 'its hosts')
    .addOption(
      new Option('--standing <word>', `only hosts that are so: ${Object.keys(STANDINGS).join(', ')}`).argParser(
        standing,
      ),
    )
    .addOption(new Option('--code <word>', 'only hosts with this reason, for example in_use'))
    .addOption(new Option('--class <n>', 'only hosts of this class').argParser(classNumber))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((id: string, options: ShowPlanOptions) =>
      run(async (context) => (await import('./plan-show.run.ts')).showPlan(context, id, options)),
    );

  rollouts
    .command('list-plans')
    .description('plans, latest first')
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: ListOptions) =>
      run(async (context) => (await import('./plan-show.run.ts')).listPlans(context, options)),
    );
};

function standing(text: string): (typeof STANDINGS)[keyof typeof STANDINGS] {
  const found = Object.entries(STANDINGS).find(([word]) => word === text.replaceAll('_', '-'))?.[1];
  if (found === undefined)
    throw usageError(
      `--standing takes one of ${Object.keys(STANDINGS).join(', ')}; not ${JSON.stringify(text.slice(0, 32))}`,
    );
  return found;
}

function classNumber(text: string): number {
  if (!/^[0-9]{1,6}$/.test(text))
    throw usageError(`--class takes the number of a class, not ${JSON.stringify(text.slice(0, 32))}`);
  return Number(text);
}
