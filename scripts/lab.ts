import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { repository } from './lib/paths.ts';
import { build } from './lib/make.ts';
import { runMain } from './lib/program.ts';

/** `npm run lab -- VERB …`: the lab's own command, with the agent built. */
await runMain(async () => {
  await build();
  const end = spawnSync(process.execPath, [join(repository, 'lab/src/main.ts'), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  return end.status ?? 1;
});
