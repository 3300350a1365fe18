import { Option } from 'commander';
import { jsonOption } from '../../command-line/options.ts';
import type { Register } from '../../command-line/runner.ts';
import { usageError } from '../../errors/cli-error.ts';
import { rolloutId } from '../ids.ts';
import { reason } from '../options/settings.ts';
import type { ApproveOptions } from './approve.run.ts';
import type { Control, ControlOptions } from './control.run.ts';

const DESCRIPTIONS: Readonly<Record<Control, string>> = {
  pause: 'hold a rollout: nothing more is sent; what hosts have begun goes on',
  resume: 'let a paused rollout go on; the failures so far are accepted',
  promote: 'end the wait after a wave now: its hosts are looked at, and the next wave begins',
  abort: 'end a rollout as it is: nothing more is sent, and nothing is put back',
  rollback: 'put back what a rollout has changed, on the hosts that are known to have changed',
};

const reasonOption = () =>
  new Option('--reason <text>', 'why; kept with the rollout').argParser((text) => reason('--reason', text));

const APPROVE_NOTE = `
Shows what would be done, on which hosts, in which waves and within which budget, and who asked for it; then asks. What is approved is what was shown: if anything
has changed since, the approval is refused. Nobody approves what they asked for themselves.

For programs: modfleet rollouts approve ID --yes --hash "$(modfleet rollouts show ID --json hash | jq -r .hash)"`;

export const registerControls: Register = (rollouts, run) => {
  for (const control of Object.keys(DESCRIPTIONS) as Control[]) {
    rollouts
      .command(control)
      .description(DESCRIPTIONS[control])
      .argument('<id>', 'id of the rollout', rolloutId)
      .addOption(reasonOption())
      .addOption(jsonOption())
      .action((id: string, options: ControlOptions) =>
        run(async (context) => (await import('./control.run.ts')).controlRollout(context, control, id, options)),
      );
  }

  rollouts
    .command('approve')
    .description('look at a rollout that awaits approval, and let it begin')
    .argument('<id>', 'id of the rollout', rolloutId)
    .option('-y, --yes', 'do not ask')
    .addOption(new Option('--hash <hash>', 'approve only if its hash is this one: what was looked at').argParser(hash))
    .addOption(reasonOption())
    .addOption(jsonOption())
    .addHelpText('after', APPROVE_NOTE)
    .action((id: string, options: ApproveOptions) =>
      run(async (context) => (await import('./approve.run.ts')).approveRollout(context, id, options)),
    );
};

function hash(text: string): string {
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw usageError(
      `--hash takes the hash of the rollout, 64 hex digits; not ${JSON.stringify(text.slice(0, 32))}`,
      'it is in: modfleet rollouts show ID --json hash',
    );
  return text.toLowerCase();
}
