import { build } from './lib/make.ts';
import { runMain } from './lib/program.ts';

await runMain(build);
