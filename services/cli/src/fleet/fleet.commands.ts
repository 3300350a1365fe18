import { Option } from 'commander';
import { jsonOption } from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import type { FreezeOptions, ThawOptions } from './fleet.run.ts';

export const registerFleet: Register = (program, run) => {
  program
    .command('freeze')
    .description('stop: from now on no action is sent to any host')
    .addOption(new Option('--reason <text>', 'why; shown on every answer until it is lifted').makeOptionMandatory())
    .addOption(jsonOption())
    .action((options: FreezeOptions) =>
      run(async (context) => (await import('./fleet.run.ts')).freeze(context, options)),
    );

  program
    .command('thaw')
    .description('lift the freeze: actions are sent again')
    .addOption(jsonOption())
    .action((options: ThawOptions) => run(async (context) => (await import('./fleet.run.ts')).thaw(context, options)));
};
