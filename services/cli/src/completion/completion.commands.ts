import type { Register } from '../command-line/runner.ts';
import { oneOf } from '../command-line/values.ts';
import { SHELLS } from './scripts.ts';

export const registerCompletion: Register = (program, run) => {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .argument('<shell>', SHELLS.join(', '), oneOf('completion', SHELLS))
    .addHelpText(
      'after',
      '\nTo use it:\n  bash:  source <(modfleet completion bash)\n  zsh:   source <(modfleet completion zsh)\n  fish:  modfleet completion fish | source',
    )
    .action((shell: (typeof SHELLS)[number]) =>
      run(async ({ io }) => {
        const { completionScript } = await import('./scripts.ts');
        io.out.write(completionScript(shell));
        return 0;
      }),
    );

  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .action((words: string[]) =>
      run(async ({ io }) => {
        const { candidates } = await import('./candidates.ts');
        io.out.write(
          candidates(program, words)
            .map((word) => `${word}\n`)
            .join(''),
        );
        return 0;
      }),
    );
};
