import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { exists } from './image/cached.ts';
import { LabError } from './lab-error.ts';
import { labPaths } from './lab-paths.ts';
import { runProgram } from './run-program.ts';

/** CommonJS packages inside the bundle call `require` for Node's own modules. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/**
 * The built agent as one file, or undefined when it is not built (`npm run build`).
 * Takes well under a second, so it is made afresh for each process that boots hosts.
 */
export async function bundleAgent(): Promise<Buffer | undefined> {
  if (!(await exists(labPaths.agentBundleEntry))) return undefined;
  if (!(await exists(join(labPaths.repository, 'agent/dist/main.js')))) {
    throw new LabError('The agent is not built, so lab hosts cannot run it: npm run build');
  }
  await mkdir(labPaths.cache, { recursive: true });
  const target = join(labPaths.cache, 'agent.mjs');
  const partial = `${target}.${process.pid}.mjs`;
  await runProgram(labPaths.esbuild, [
    labPaths.agentBundleEntry,
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--target=node24',
    `--banner:js=${BANNER}`,
    '--log-level=warning',
    `--outfile=${partial}`,
  ]);
  await rename(partial, target);
  return readFile(target);
}
