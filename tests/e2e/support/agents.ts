import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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
  const log = join(folder, 'agent.log');
  const process_ = startProcess(process.execPath, [agentEntry, 'run', '--config', config], process.env, log);
  fleet.agents.push(process_);
  const hostId = await eventually(`agent ${name} joins`, () => joinedAs(log));
  await eventually(
    `agent ${name} is connected`,
    async () => (await fleet.api('GET', `/api/v1/hosts/${hostId}`)).body['connected'] === true || undefined,
  );
  return { hostId, process: process_ };
}

/** The id that an agent got, as its log says. */
function joinedAs(log: string): string | undefined {
  for (const line of readFileSync(log, 'utf8')
    .split('\n')
    .slice(0, -1)
    .filter((one) => one.startsWith('{'))) {
    const { msg, hostId } = JSON.parse(line) as { msg?: string; hostId?: string };
    if (msg === 'this machine has joined') return hostId;
  }
  return undefined;
}
