import { join } from 'node:path';
import { startAgent, type TestAgent } from './agents.ts';
import { repository, type TestFleet } from './fleet.ts';

/** Captured root trees of agent/testdata/roots. */
export type Captured = 'debian-6.12-xz' | 'debian-6.1-half-dead' | 'odd-names' | 'no-loadable-kmods' | 'container';

/** An agent that looks at a captured host instead of this machine. */
export function startCaptured(fleet: TestFleet, tree: Captured, name: string = tree): Promise<TestAgent> {
  return startAgent(fleet, name, { root: join(repository, 'agent/testdata/roots', tree, 'root') });
}

/** What people could change: labels, retirements, actions, join tokens, the freeze. Two of these are equal when nothing was changed. */
export async function whatCanChange(fleet: TestFleet): Promise<unknown> {
  const of = async (list: string) =>
    (await fleet.api('GET', `/api/v1/${list}`)).body as { items: Record<string, unknown>[]; freeze: unknown };
  const hosts = await of('hosts?includeRetired=true');
  const actions = await of('actions');
  const tokens = await of('join-tokens');
  return {
    hosts: hosts.items.map(({ id, labels, retiredAt }) => ({ id, labels, retiredAt })),
    actions: actions.items.map(({ id, state, outcome }) => ({ id, state, outcome })),
    tokens: tokens.items.map(({ id, state, uses }) => ({ id, state, uses })),
    freeze: hosts.freeze,
  };
}
