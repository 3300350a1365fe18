import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folders of this clone. Everything made here at run time lies in .modfleet/ (state) or .cache/ (can be made again). */
export const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
export const stateFolder = join(repository, '.modfleet');
export const cacheFolder = join(repository, '.cache');
export const binFolder = join(repository, 'node_modules/.bin');

/** TypeScript 7. `tsc` in binFolder may be the other one, whose API other tools need (docs/adr/0006). */
export const typescriptCompiler = join(repository, 'node_modules/typescript-go/bin/tsc');
