import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ActionResult, Outcome } from '@modfleet/proto';
import { afterEach, expect } from 'vitest';
import { ActionStack } from '../../services/server/src/actions/testing/action-stack.ts';
import type { Action } from '../../services/server/src/api-types.ts';
import { CertificateAuthority } from '../../services/server/src/ca/certificate-authority.ts';
import { onTestDatabase } from '../../services/server/src/testing/on-test-database.ts';
import { epochCommand, SignedHost } from './signed-host.ts';

/**
 * For the top of a test file: the server's API, dispatch and database on one side, the agent's courier and helper on the other, as they are; between them
 * the port between sessions and features. Each test begins in epoch 1, without hosts.
 */
export function signedMachines(onStarted: (stack: ActionStack) => void) {
  let stack: ActionStack;
  onTestDatabase(async (url) => {
    stack = await ActionStack.start(url);
    onStarted(stack);
    return stack;
  });
  const machines: SignedHost[] = [];
  afterEach(async () => {
    for (const { courier } of machines.splice(0)) await courier.stop();
    await stack.reset();
    writeFileSync(join(stack.stateDir, 'keys/epoch'), '1\n');
  });
  return {
    machine: async (name = 'web-1'): Promise<SignedHost> => {
      const made = new SignedHost(await stack.enroll(name), stack.app.get(CertificateAuthority).certificate);
      machines.push(made);
      return made;
    },
    create: async (kmod = 'dummy', name = 'web-1', more: object = {}): Promise<Action> => {
      const answer = await stack.call<Action>('POST', '/actions', { host: name, verb: 'load', kmod, ...more });
      expect(answer.status).toBe(202);
      return answer.body;
    },
    show: async (id: string): Promise<Action> => (await stack.call<Action>('GET', `/actions/${id}`)).body,
    /** As `modfleet-server epoch ARGS` prints it. */
    command: (...args: string[]): Promise<string> => epochCommand(stack, ...args),
  };
}

export function isTaken(result: ActionResult): boolean {
  return result.outcome === Outcome.OUTCOME_SUCCEEDED;
}
