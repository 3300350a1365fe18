import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestFleet, repository } from './fleet.ts';
import { type TestProcess, startProcess } from './processes.ts';
import { eventually } from './wait.ts';

const agentEntry = join(repository, 'agent/bin/modfleet-agent.js');

/** An agent on this machine. */
export interface TestAgent {
  readonly hostId: string;
  readonly process: TestProcess;
}

/**
 * Joins and starts an agent on this machine; `root` gives it a captured root tree to look at instead of the machine's own files. Waits
 * until the server shows it connected.
 */
export async function startAgent(
  fleet: TestFleet,
  name: string,
  options: { readonly root?: string } = {},
): Promise<TestAgent> {
  const folder = join(fleet.folder, `agent-${name}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const joinFile = join(folder, 'join');
  writeFileSync(joinFile, await fleet.joinString(), { mode: 0o600 });
  const config = join(folder, 'agent.yaml');
  const lines = [
    `server: 127.0.0.1:${fleet.identityPort}`,
    'mode: observe',
    `state_dir: ${join(folder, 'state')}`,
    `join_file: ${joinFile}`,
  ];
  if (options.root !== undefined) lines.push(`root: ${options.root}`);
  writeFileSync(config, `${lines.join('\n')}\n`);
  const before = await hostIds(fleet);
  const process_ = startProcess(
    process.execPath,
    [agentEntry, 'run', '--config', config],
    process.env,
    join(folder, 'agent.log'),
  );
  fleet.agents.push(process_);
  const hostId = await eventually(`agent ${name} is connected`, async () => {
    const hosts = (await fleet.api('GET', '/api/v1/hosts')).body['items'] as { id: string; connected: boolean }[];
    return hosts.find((host) => host.connected && !before.has(host.id))?.id;
  });
  return { hostId, process: process_ };
}

async function hostIds(fleet: TestFleet): Promise<Set<string>> {
  const hosts = (await fleet.api('GET', '/api/v1/hosts')).body['items'] as { id: string }[];
  return new Set(hosts.map((host) => host.id));
}
