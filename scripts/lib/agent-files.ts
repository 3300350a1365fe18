import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundleAgent } from './agent-bundle.ts';
import { repository } from './paths.ts';

const packaging = join(repository, 'agent/packaging');

/** One file of the agent on a host. */
export interface AgentFile {
  readonly content: Buffer;
  readonly mode: number;
}

/** Units that systemd starts by itself, and what wants them. */
export const ENABLED_UNITS: Readonly<Record<string, string>> = {
  'modfleet-agent.service': 'multi-user.target',
  'modfleet-helper.socket': 'sockets.target',
  'modfleet-evidence.socket': 'sockets.target',
  'modfleet-join.path': 'multi-user.target',
  'modfleet-journal.service': 'multi-user.target',
  'modfleet-revert.service': 'multi-user.target',
};

/** Programs and scripts of a host by path, without the leading slash; Node.js itself (`usr/lib/modfleet/node`) comes besides. */
export async function agentPrograms(): Promise<Map<string, AgentFile>> {
  const files = new Map<string, AgentFile>();
  for (const [name, content] of await bundleAgent()) files.set(`usr/lib/modfleet/${name}`, { content, mode: 0o644 });
  files.set('usr/bin/modfleet-agent', { content: readFileSync(join(packaging, 'modfleet-agent')), mode: 0o755 });
  files.set('usr/lib/modfleet/modfleet-helper', {
    content: readFileSync(join(packaging, 'modfleet-helper')),
    mode: 0o755,
  });
  return files;
}

/** systemd's files by path, without the leading slash. */
export function agentUnits(): Map<string, AgentFile> {
  const units = readdirSync(packaging).filter((name) => /\.(service|socket|path|timer)$/.test(name));
  const files = new Map(
    units.map((name): [string, AgentFile] => [
      `usr/lib/systemd/system/${name}`,
      { content: readFileSync(join(packaging, name)), mode: 0o644 },
    ]),
  );
  files.set('usr/lib/sysusers.d/modfleet.conf', {
    content: readFileSync(join(packaging, 'modfleet.sysusers')),
    mode: 0o644,
  });
  return files;
}
