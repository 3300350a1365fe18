import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { repository } from './paths.ts';

/** CommonJS packages inside the bundle call `require` for Node's own modules. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** The agent's compiled entry; there after `npm run build`. */
export const agentEntry = join(repository, 'agent/dist/main.js');

/**
 * The compiled agent and all it needs as one ES module for Node.js 24. It is the same file on a host of yours and on a lab host.
 * Takes well under a second.
 *
 * @throws Error when the agent is not compiled.
 */
export async function bundleAgent(): Promise<Buffer> {
  if (!existsSync(agentEntry)) throw new Error(`The agent is not built (${agentEntry} is missing): npm run build`);
  const result = await build({
    entryPoints: [agentEntry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    logLevel: 'warning',
    write: false,
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error('esbuild made no file of the agent');
  return Buffer.from(file.contents);
}
