import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { agentPrograms, agentUnits } from './lib/agent-files.ts';
import { build } from './lib/make.ts';
import { repository } from './lib/paths.ts';
import { ScriptError, runMain, runProgram } from './lib/program.ts';
import { withProgress } from './lib/progress.mjs';

const NODE = { from: `node_modules/node-linux-${process.arch}/bin/node`, path: 'usr/lib/modfleet/node' } as const;

/** The agent's own folder on a host: in the archive, as an unpacking root with umask 077 would make one that only root may enter. */
const OWN_FOLDER = 'usr/lib/modfleet';

/** Puts all files of a host below a folder and names them. All other folders are left to the host: it has them, with modes of its own. */
async function stage(folder: string): Promise<string[]> {
  const files = new Map([...(await agentPrograms()), ...agentUnits()]);
  for (const [path, { content, mode }] of files) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
  }
  copyFileSync(join(repository, NODE.from), join(folder, NODE.path));
  chmodSync(join(folder, NODE.path), 0o755);
  chmodSync(join(folder, OWN_FOLDER), 0o755);
  return [OWN_FOLDER, ...files.keys(), NODE.path];
}

/** `npm run bundle-agent`: the agent with its Node.js and its systemd units as one archive, to unpack at the root of a host. */
async function main(): Promise<number> {
  await build();
  const { version } = JSON.parse(readFileSync(join(repository, 'agent/package.json'), 'utf8')) as { version: string };
  const archive = join(repository, 'dist', `modfleet-agent-${version}-linux-${process.arch}.tar.gz`);
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-agent-'));
  try {
    await withProgress('packing the agent', async () => {
      const files = await stage(folder);
      mkdirSync(dirname(archive), { recursive: true });
      const owner = ['--owner=0', '--group=0', '--numeric-owner'];
      const end = await runProgram('tar', ['-C', folder, ...owner, '--no-recursion', '-czf', archive, ...files]);
      if (end.status !== 0) throw new ScriptError(`tar could not write ${archive}: ${end.output.trim()}`);
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(
    `${archive} (${Math.round(statSync(archive).size / 1e6)} MB). README.md, "Put the agent on a host", goes on from here.`,
  );
  return 0;
}

await runMain(main);
