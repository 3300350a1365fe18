import { runChecks } from './lib/checks.ts';
import { build } from './lib/make.ts';
import { runMain } from './lib/program.ts';

await runMain(async () => {
  await build();
  const results = await runChecks();
  return results.every((result) => result.passed) ? 0 : 1;
});
