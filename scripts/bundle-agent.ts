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
import { bundleAgent } from './lib/agent-bundle.ts';
import { build } from './lib/make.ts';
import { repository } from './lib/paths.ts';
import { ScriptError, runMain, runProgram } from './lib/program.ts';
import { withProgress } from './lib/progress.mjs';

/** The files of a host, by path without the leading slash. Folders are left to the host: it has them, with modes of its own. */
const LAYOUT = {
  'usr/bin/modfleet-agent': { from: 'agent/packaging/modfleet-agent', mode: 0o755 },
  'usr/lib/modfleet/agent.mjs': { from: undefined, mode: 0o644 },
  'usr/lib/modfleet/node': { from: `node_modules/node-linux-${process.arch}/bin/node`, mode: 0o755 },
  'usr/lib/systemd/system/modfleet-agent.service': { from: 'agent/packaging/modfleet-agent.service', mode: 0o644 },
} as const;

async function stage(folder: string): Promise<void> {
  const agent = await bundleAgent();
  for (const [path, { from, mode }] of Object.entries(LAYOUT)) {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    if (from === undefined) writeFileSync(target, agent);
    else copyFileSync(join(repository, from), target);
    chmodSync(target, mode);
  }
}

/** `npm run bundle-agent`: the agent with its Node.js and its systemd unit as one archive, to unpack at the root of a host. */
async function main(): Promise<number> {
  await build();
  const { version } = JSON.parse(readFileSync(join(repository, 'agent/package.json'), 'utf8')) as { version: string };
  const archive = join(repository, 'dist', `modfleet-agent-${version}-linux-${process.arch}.tar.gz`);
  const folder = mkdtempSync(join(tmpdir(), 'modfleet-agent-'));
  try {
    await withProgress('packing the agent', async () => {
      await stage(folder);
      mkdirSync(dirname(archive), { recursive: true });
      const owner = ['--owner=0', '--group=0', '--numeric-owner'];
      const end = await runProgram('tar', ['-C', folder, ...owner, '-czf', archive, ...Object.keys(LAYOUT)]);
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
