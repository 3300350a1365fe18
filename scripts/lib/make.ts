import { join } from 'node:path';
import { binFolder, typescriptCompiler } from './paths.ts';
import { ScriptError, runProgram } from './program.ts';
import { withProgress } from './progress.mjs';
import { whenStale } from './stale.ts';

async function step(
  title: string,
  command: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<void> {
  await withProgress(title, async () => {
    const end = await runProgram(command, args, options);
    if (end.status === 0) return;
    if (/ENOSPC|no space left/i.test(end.output))
      throw new ScriptError(`${title}: the disk is full; free some space and start again.`);
    throw new ScriptError(`${title} failed:\n${end.output.trim().split('\n').slice(-25).join('\n')}`);
  });
}

/** Makes what is generated: the contract's types (buf, ts-proto) and Prisma's client. Only what is stale. */
export async function generate(): Promise<void> {
  await whenStale(
    'gen-proto',
    ['proto/modfleet', 'proto/buf.gen.yaml', 'package-lock.json'],
    ['proto/gen/modfleet/agent/v1/session.ts'],
    () => step('generating the contract', join(binFolder, 'buf'), ['generate'], { cwd: 'proto' }),
  );
  await whenStale(
    'gen-prisma',
    ['services/server/prisma/schema.prisma', 'services/server/prisma.config.ts', 'package-lock.json'],
    ['services/server/src/generated/prisma/client.ts'],
    // The CLI looks for an engine binary that it would download; generating never runs it, so any program serves (docs/adr).
    () =>
      step("generating the database's types", join(binFolder, 'prisma'), ['generate', '--no-hints'], {
        cwd: 'services/server',
        env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
      }),
  );
}

const SOURCES = ['proto', 'agent', 'services', 'tsconfig.json', 'tsconfig.base.json', 'package-lock.json'];
const OUTPUTS = [
  'proto/dist/src/index.js',
  'agent/dist/main.js',
  'services/server/dist/main.js',
  'services/cli/dist/main.js',
];

/** Compiles the workspaces that run as compiled code. Only when a source changed. */
export async function build(): Promise<void> {
  await generate();
  await whenStale('build', SOURCES, OUTPUTS, () =>
    step('compiling', typescriptCompiler, ['-b', 'proto', 'agent', 'services/server', 'services/cli']),
  );
}
