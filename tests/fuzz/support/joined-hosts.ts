import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadedFacet, statusOf, TestAgent } from '../../../services/server/src/testing/test-agent.ts';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import type { AdminDoor } from './admin-door.ts';

/** Where agents find the server, and whose certificates they take. */
export function agentDoors(fleet: TestFleet): {
  readonly identity: string;
  readonly session: string;
  readonly caPem: string;
} {
  const { identity, session } = JSON.parse(readFileSync(join(fleet.folder, 'server/listening.json'), 'utf8')) as {
    identity: string;
    session: string;
  };
  return { identity, session, caPem: readFileSync(join(fleet.folder, 'server/ca/ca.crt'), 'utf8') };
}

/** A machine that has joined, with labels from its join token. */
export async function joinedAgent(
  fleet: TestFleet,
  door: AdminDoor,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<TestAgent> {
  const made = await door.must(201, 'POST', '/api/v1/join-tokens', { labels });
  const { identity, caPem } = agentDoors(fleet);
  const agent = await TestAgent.create(name);
  await agent.enroll(
    { identityAddress: identity, ca: { certificatePem: caPem } },
    String(made['joinString']).split('.')[0] ?? '',
  );
  return agent;
}

/** Joins a host that says what is loaded on it, and goes. @returns its id. */
export async function joinPlanted(
  fleet: TestFleet,
  door: AdminDoor,
  name: string,
  labels: Readonly<Record<string, string>>,
  kmods: readonly string[],
): Promise<string> {
  const agent = await joinedAgent(fleet, door, name, labels);
  const facet = loadedFacet(...kmods.toSorted());
  const { session } = await agent.connect(agentDoors(fleet).session, [statusOf(facet)]);
  session.whole(facet);
  await session.leave();
  return agent.hostId;
}
