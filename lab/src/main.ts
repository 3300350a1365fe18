/** `npm run lab -- …`: see cli/usage.ts. Data goes to stdout, talk to stderr. */
import { boot } from './cli/boot.ts';
import { clean } from './cli/clean.ts';
import { oracle } from './cli/oracle.ts';
import { type LabCommand, parseArguments } from './cli/parse-arguments.ts';
import { openShell } from './cli/shell.ts';
import { USAGE } from './cli/usage.ts';
import { forgetResolution } from './debian/resolve-packages.ts';
import { isAlive, listRecords } from './host/run-folder.ts';
import { labImage } from './image/prepare.ts';
import { LabError } from './lab-error.ts';
import { checkPrerequisites } from './prerequisites.ts';
import type { HostKind } from './types.ts';

const progress = (line: string): void => {
  process.stderr.write(`lab: ${line}\n`);
};

async function needPrerequisites(kinds: readonly HostKind[]): Promise<void> {
  const { ok, hint } = await checkPrerequisites(kinds);
  if (!ok) throw new LabError(hint);
}

async function check(): Promise<void> {
  for (const kind of ['fast', 'full'] as const) {
    const { ok, hint } = await checkPrerequisites([kind]);
    process.stdout.write(`${kind}\t${ok ? 'can be built and booted here' : hint}\n`);
    if (!ok) process.exitCode = 1;
  }
}

async function build(command: Extract<LabCommand, { command: 'build' }>): Promise<void> {
  await needPrerequisites(command.kinds);
  if (command.update) await forgetResolution();
  for (const kind of command.kinds) {
    for (const series of command.series) {
      const image = await labImage(kind, series, progress);
      process.stdout.write(`${kind}\t${series}\t${image.kernelRelease}\t${image.rootDisk}\n`);
    }
  }
}

async function list(): Promise<void> {
  const alive = (await listRecords()).filter(isAlive);
  if (alive.length === 0) progress('no lab host runs. To boot two: npm run lab -- boot --count 2');
  for (const { name, kind, kernelRelease, ownerPid, folder } of alive) {
    process.stdout.write(`${[name, kind, kernelRelease, `pid ${ownerPid}`, folder].join('\t')}\n`);
  }
}

async function run(command: LabCommand): Promise<void> {
  switch (command.command) {
    case 'help':
      process.stdout.write(USAGE);
      return;
    case 'check':
      return check();
    case 'build':
      return build(command);
    case 'boot':
      await needPrerequisites([command.kind]);
      return boot(command, progress);
    case 'oracle':
      await needPrerequisites(command.kinds);
      process.exitCode = await oracle(command, progress);
      return;
    case 'list':
      return list();
    case 'shell':
      return openShell(command.name);
    case 'clean':
      return clean(command.all, progress);
  }
}

try {
  await run(parseArguments(process.argv.slice(2)));
} catch (error) {
  // A LabError explains itself; anything else is a fault of ours, where the trace helps.
  process.stderr.write(
    error instanceof LabError ? `lab: ${error.message}\n` : `${error instanceof Error ? error.stack : error}\n`,
  );
  process.exitCode = 1;
}
