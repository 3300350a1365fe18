import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { repository } from './paths.ts';

/** CommonJS packages inside the bundle call `require` for Node's own modules. */
const BANNER = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

/** What the generated contract asks of grpc-js while it is loaded. */
const NO_GRPC_JS = `
export class Client { constructor() { throw new Error('grpc-js is not part of the agent'); } }
export const makeGenericClientConstructor = () => Client;
`;

/**
 * The agent's programs, each in one file: all commands for people; what is there all day; what acts; and what the first loads to join.
 * Apart, because what a program does not hold it neither loads nor keeps in memory.
 */
const PROGRAMS = {
  'agent.mjs': 'main.js',
  'resident.mjs': 'resident.js',
  'helper.mjs': 'helper/main.js',
  'certificate-request.mjs': 'identity/certificate-request.js',
} as const;

/** File names of the agent's programs, as they stand beside each other on a host. */
export type AgentProgram = keyof typeof PROGRAMS;

/** File names of all programs. */
export const AGENT_PROGRAMS = Object.keys(PROGRAMS) as AgentProgram[];

/**
 * The compiled agent and all it needs, one ES module for Node.js 24 a program. They are the same files on a host of yours and on a lab host.
 * Takes about a second.
 *
 * @throws Error when the agent is not compiled.
 */
export async function bundleAgent(): Promise<ReadonlyMap<AgentProgram, Buffer>> {
  return new Map(await Promise.all(AGENT_PROGRAMS.map(async (name) => [name, await bundled(PROGRAMS[name])] as const)));
}

async function bundled(compiled: string): Promise<Buffer> {
  const entry = join(repository, 'agent/dist', compiled);
  if (!existsSync(entry)) throw new Error(`The agent is not built (${entry} is missing): npm run build`);
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: { js: BANNER },
    logLevel: 'warning',
    write: false,
    // A program's text stays in its memory. Names are kept: they are what a stack trace says.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    plugins: [
      {
        name: 'apart',
        setup(plugin): void {
          const name = 'certificate-request';
          plugin.onResolve({ filter: new RegExp(`/${name}\\.js$`) }, ({ kind }) =>
            kind === 'entry-point' ? undefined : { path: `./${name}.mjs`, external: true },
          );
        },
      },
      {
        name: 'no-grpc-js',
        setup(plugin): void {
          // The contract makes clients with grpc-js as it is loaded; no program of the agent uses them, and the package is 1 MB.
          plugin.onResolve({ filter: /^@grpc\/grpc-js$/ }, ({ path }) => ({ path, namespace: 'no-grpc-js' }));
          plugin.onLoad({ filter: /.*/, namespace: 'no-grpc-js' }, () => ({ contents: NO_GRPC_JS }));
        },
      },
    ],
  });
  const [file] = result.outputFiles;
  if (file === undefined) throw new Error(`esbuild made no file of ${entry}`);
  return Buffer.from(file.contents);
}
