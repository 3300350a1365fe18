import { X509Certificate } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { HelperWorld } from '../../../../agent/src/helper/testing/helper-world.ts';
import { LiveAgent, type LiveServer } from '../../../../agent/src/testing/live-agent.ts';
import { ActionStack } from '../actions/testing/action-stack.ts';
import { AgentListeners } from '../agent-session/agent-listeners.service.ts';
import type { Action } from '../api-types.ts';
import { localSource } from '../audit/audit-source.ts';
import { AuditService } from '../audit/audit.service.ts';
import { SERVER_CONFIG, type ServerConfig } from '../config/server-config.ts';
import { JoinTokenService } from '../enrollment/join-token.service.ts';
import { comesTrue } from '../testing/comes-true.ts';
import { liveServer } from '../testing/live-server.ts';
import { onTestDatabase } from '../testing/on-test-database.ts';
import { CaRotation, type CaStepOptions } from './ca-rotation.ts';
import type { CaStep } from './ca-set.machine.ts';
import { CaWatch } from './ca-watch.service.ts';
import { CertificateAuthority } from './certificate-authority.ts';

/*
 * Commands through a rotation of the CA: API, dispatch and sessions of a server; the real agent's identity, session, courier and helper on the host, over
 * a simulated kernel.
 */

let stack: ActionStack;
onTestDatabase(async (url) => (stack = await ActionStack.start(url)));

/** A host whose helper keeps a list of CAs of its own. */
interface Machine {
  readonly agent: LiveAgent;
  readonly world: HelperWorld;
}

const machines: Machine[] = [];
afterEach(async () => {
  await Promise.all(machines.splice(0).map(({ agent }) => agent.sleep()));
});

const ca = (): CertificateAuthority => stack.app.get(CertificateAuthority);
const ids = (cas: readonly X509Certificate[]): string[] =>
  cas.map((one) => one.fingerprint256.replaceAll(':', '').toLowerCase());
const believes = ({ world }: Machine): string[] => ids(world.trust.cas);
const here = (): LiveServer => liveServer(stack.app.get(AgentListeners));

async function machine(name: string): Promise<Machine> {
  const { joinString } = await stack.database.tx('READ COMMITTED', (sql) =>
    stack.app
      .get(JoinTokenService)
      .create(sql, { maxUses: 1, expiresInSeconds: 600, labels: undefined }, localSource()),
  );
  const agent = await LiveAgent.join(name, joinString, here);
  const world = new HelperWorld();
  const identity = await agent.store.load();
  world.self = identity?.hostId ?? '';
  // As `join` tells the helper: the one CA of that time.
  world.trust = { generation: 0, cas: [new X509Certificate(identity?.caPem ?? '')] };
  agent.helper = world;
  const made = { agent, world };
  machines.push(made);
  await wake(made);
  return made;
}

async function wake({ agent }: Machine): Promise<void> {
  await agent.wake();
  await comesTrue(async () => {
    expect(await isLive(agent.name), agent.lines.join('\n')).toBe(true);
  });
}

async function sleep({ agent }: Machine): Promise<void> {
  await agent.sleep();
  await comesTrue(async () => {
    expect(await isLive(agent.name)).toBe(false);
  });
}

async function isLive(name: string): Promise<boolean> {
  const [row] = await stack.database.query<{ live: boolean }>(
    'SELECT coalesce(p.live, false) AS live FROM host h LEFT JOIN session_presence p ON p.host_id = h.id WHERE h.name = $1',
    [name],
  );
  return row?.live === true;
}

/** Takes the step, and waits until every host that is awake says that it follows. */
async function step(name: CaStep, options: CaStepOptions & { readonly awake: readonly Machine[] }): Promise<void> {
  const poll = setInterval(() => void stack.app.get(CaWatch).check(), 50);
  try {
    await new CaRotation(
      stack.app.get<ServerConfig>(SERVER_CONFIG),
      stack.database,
      stack.app.get(AuditService),
      20_000,
    ).take(name, options);
  } finally {
    clearInterval(poll);
  }
  for (const { agent } of options.awake) {
    await comesTrue(async () => {
      const [row] = await stack.database.query<{ trusted: string[]; issuer: string }>(
        'SELECT trusted_cas AS trusted, certificate_ca AS issuer FROM host WHERE name = $1',
        [agent.name],
      );
      const trusted = ca().trusted.map(({ id }) => id);
      expect(row, agent.lines.join('\n')).toEqual({ trusted: trusted.toSorted(), issuer: trusted[0] });
    });
  }
}

let kmods = 0;
async function ask({ agent, world }: Machine): Promise<string> {
  world.clock.ms = Date.now();
  const answer = await stack.call<Action>('POST', '/actions', {
    host: agent.name,
    verb: 'load',
    kmod: `kmod_${(kmods += 1)}`,
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(202);
  return answer.body.id;
}

async function end(id: string): Promise<Action> {
  return comesTrue(async () => {
    const { body } = await stack.call<Action>('GET', `/actions/${id}`);
    expect(body.state, JSON.stringify(body)).toBe('ended');
    return body;
  });
}

/** The CA (id) that certified the key with which an action was signed. */
async function certifiedBy(id: string): Promise<string | undefined> {
  const [row] = await stack.database.query<{ certificate: Buffer }>(
    'SELECT c.certificate FROM action a JOIN command_certificate c ON c.id = a.command_certificate WHERE a.id = $1',
    [id],
  );
  return row === undefined ? undefined : ca().issuerId(new X509Certificate(row.certificate));
}

/** An action from the API to the kernel and back, signed under this CA. */
async function acts(on: Machine, issuer: string): Promise<void> {
  const id = await ask(on);
  const ended = await end(id);
  expect(ended, [ended.message, ...on.agent.lines].join('\n')).toMatchObject({ outcome: 'succeeded' });
  expect(await certifiedBy(id)).toBe(issuer);
}

describe('commands through a rotation of the CA', { timeout: 240_000 }, () => {
  it('are taken in every phase and after every step back, also by a host that slept through one', async () => {
    const one = await machine('web-1');
    const late = await machine('slept-issue');
    const old = ca().set.current.id;
    await acts(one, old);
    await acts(late, old);

    await step('begin', { awake: [one, late] });
    const next = ca().set.next?.id ?? '';
    await acts(one, old);
    expect(believes(one)).toEqual([old, next]);
    // Told at once, not with the first action only.
    await comesTrue(() => expect(believes(late)).toEqual([old, next]));

    await sleep(late);
    await step('issue', { awake: [one] });
    await acts(one, next);
    expect(believes(one)).toEqual([next, old]);
    await wake(late);
    await acts(late, next);

    await step('finish', { awake: [one, late] });
    await acts(one, next);
    await acts(late, next);
    expect([believes(one), believes(late)]).toEqual([[next], [next]]);

    await step('back', { awake: [one, late] });
    await acts(one, next);
    await step('back', { awake: [one, late] });
    await acts(one, old);
    await step('back', { awake: [one, late] });
    await acts(one, old);
    await acts(late, old);
    expect([believes(one), believes(late)]).toEqual([[old], [old]]);
  });

  it('that waited from before are refused in clear words once their CA is dropped, and what is asked anew is taken', async () => {
    const one = await machine('web-2');
    const all = await machine('slept-all');
    const old = ca().set.current.id;
    await acts(all, old);
    await step('begin', { awake: [one, all] });
    await sleep(all);
    const waited = await ask(all);
    expect(await certifiedBy(waited)).toBe(old);
    await step('issue', { awake: [one], strand: 9 });
    await step('finish', { awake: [one], strand: 9 });
    const next = ca().set.current.id;
    all.world.clock.ms = Date.now();
    await wake(all);
    const ended = await end(waited);
    expect(ended).toMatchObject({ outcome: 'refused', result: { reasonCode: 'signature_invalid' } });
    expect(ended.message).toContain('certificate authority');
    expect(ended.message).toContain('nothing was touched');
    await acts(all, next);
    expect(believes(all)).toEqual([next]);
  });
});
