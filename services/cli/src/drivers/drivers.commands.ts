import {
  allPagesOption,
  includeUnknownOption,
  jsonOption,
  limitOption,
  selectorOption,
} from '../command-line/options.ts';
import type { Register } from '../command-line/runner.ts';
import { driverName } from '../command-line/values.ts';
import type { DriverHostsOptions } from './driver-hosts.run.ts';

export const registerDrivers: Register = (program, run) => {
  const drivers = program
    .command('drivers')
    .helpCommand(false)
    .description('drivers as devices are bound to them, built in or not');

  drivers
    .command('hosts')
    .description('which hosts have a device bound to a driver, and which devices')
    .argument('<name>', "the driver's name as its bus has it", driverName)
    .addOption(selectorOption())
    .addOption(includeUnknownOption())
    .addOption(limitOption())
    .addOption(allPagesOption())
    .option('--exit-status', 'exit 0: complete, some host has it; 1: complete, none has; 8: some hosts are unknown')
    .addOption(jsonOption())
    .action((name: string, options: DriverHostsOptions) =>
      run(async (context) => (await import('./driver-hosts.run.ts')).driverHosts(context, name, options)),
    );
};
