import type { Register } from '../command-line/runner.ts';
import { registerControls } from './control/control.commands.ts';
import { registerCreate } from './create/create.commands.ts';
import { registerFollow } from './follow/follow.commands.ts';
import { registerPlans } from './plan/plan.commands.ts';

export const registerRollouts: Register = (program, run) => {
  const rollouts = program
    .command('rollouts')
    .helpCommand(false)
    .description('one change on many hosts: planned, in waves, within a budget')
    .addHelpText(
      'after',
      `
The way of a rollout:
  modfleet rollouts plan unload floppy -l env=prod     every host says what it would do; nothing is touched
  modfleet rollouts create PLAN --waves 1,10%,100%     what was planned begins, wave after wave
  modfleet rollouts watch ID                           how far it is, and why it stands still`,
    );
  registerPlans(rollouts, run);
  registerCreate(rollouts, run);
  registerFollow(rollouts, run);
  registerControls(rollouts, run);
};
