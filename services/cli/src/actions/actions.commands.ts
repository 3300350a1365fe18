import { Option } from 'commander';
import { allPagesOption, jsonOption, limitOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { hostName, kmodName, oneOf, uuid } from '../command-line/values.ts';
import type { ActionsListOptions, ActionShowOptions } from './actions.run.ts';

const STATES = ['queued', 'dispatched', 'received', 'started', 'ended'] as const;
/** How an action may end. */
export const OUTCOMES = [
  'succeeded',
  'unchanged',
  'refused',
  'failed',
  'reverted',
  'expired',
  'cancelled',
  'interrupted',
  'unconfirmed',
  'stuck',
] as const;

const actionId = (text: string) => uuid('an action', text, 'modfleet actions list');

export const registerActions: Register = (program, run) => {
  const actions = program
    .command('actions')
    .helpCommand(false)
    .description('what was asked of hosts, and how it ended');

  actions
    .command('list')
    .description('actions, latest first')
    .addOption(new Option('--host <host>', 'of this host only').argParser(hostName))
    .addOption(new Option('--kmod <name>', 'of this kmod only').argParser(kmodName))
    .addOption(new Option('--state <word>', `one of ${STATES.join(', ')}`).argParser(oneOf('--state', STATES)))
    .addOption(new Option('--outcome <word>', `one of ${OUTCOMES.join(', ')}`).argParser(oneOf('--outcome', OUTCOMES)))
    .addOption(limitOption())
    .addOption(allPagesOption())
    .addOption(jsonOption())
    .action((options: ActionsListOptions) =>
      run(async (context) => (await import('./actions.run.ts')).actionsList(context, options)),
    );

  actions
    .command('show')
    .description('one action: verdict, findings with evidence, plan, result')
    .argument('<id>', 'id of the action', actionId)
    .addOption(jsonOption())
    .action((id: string, options: ActionShowOptions) =>
      run(async (context) => (await import('./actions.run.ts')).actionShow(context, id, options)),
    );

  actions
    .command('watch')
    .description('follow an action to its end; exit 0 only when it succeeded or nothing was to be done')
    .argument('<id>', 'id of the action', actionId)
    .addOption(jsonOption())
    .action((id: string, options: ActionShowOptions) =>
      run(async (context) => (await import('./actions.run.ts')).actionWatch(context, id, options)),
    );

  actions
    .command('cancel')
    .description('call an action off; exit 0 only when it is known not to have started')
    .argument('<id>', 'id of the action', actionId)
    .addOption(jsonOption())
    .action((id: string, options: ActionShowOptions) =>
      run(async (context) => (await import('./actions.run.ts')).actionCancel(context, id, options)),
    );
};
