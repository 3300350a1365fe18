import { generate } from './lib/make.ts';
import { runMain } from './lib/program.ts';

await runMain(generate);
