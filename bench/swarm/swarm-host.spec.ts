import { ActionRequest, type FindingCode, KmodPresence, Verb } from '@modfleet/proto';
import { describe, expect, it } from 'vitest';
import { LinuxActionHost } from '../../agent/src/actions/host/linux-action-host.ts';
import { createInventory } from '../../agent/src/facets/host-inventory.ts';
import { createLog } from '../../agent/src/log.ts';
import { HostBootClock } from '../../agent/src/time/boot-clock.ts';
import { readCaptured } from './captured-kernel.ts';
import { hostRandom, labelsKey, planHost } from './host-kinds.ts';
import { SwarmHost } from './swarm-host.ts';
import type { Behaviour } from './kernel/simulated-kernel.ts';

const log = createLog('error');

function hostOf(
  kernel: string,
  kmods: readonly string[] = [],
  behaviour: Behaviour = { routine: () => 'returns' },
): SwarmHost {
  const plan = planHost(7, hostRandom(1, 7));
  return new SwarmHost({
    plan: { ...plan, kmods: [...plan.kmods, ...kmods] },
    localAddress: '127.0.0.1',
    captured: readCaptured(kernel),
    behaviour,
    stepMs: () => 0,
    log,
    random: () => 0.5,
    onResult: () => undefined,
  });
}

describe.each(['debian-6.1', 'debian-6.12'])('a simulated host with the kernel of %s', (kernel) => {
  it("is seen whole by the agent's own inventory, and each change of its kmods as it happens", async () => {
    const host = hostOf(kernel);
    const inventory = createInventory({
      files: host.files,
      exec: host.exec,
      clock: new HostBootClock(),
      collectAvailable: () => Promise.reject(new Error('nobody asks')),
      log,
    });
    const told: string[] = [];
    inventory.onKmodEvents(({ events }) => told.push(...events.map(({ kmod }) => kmod)));
    await inventory.start({ pollMs: 100_000, facetMs: 100_000 });
    expect(
      inventory.snapshots().map(({ state }) => (state.kind === 'value' ? state.digest.length : state.reason)),
    ).toEqual([32, 32, 32, 32, 32]);
    expect((await inventory.answer(['nf_tables', 'dummy'])).map(({ name, presence }) => [name, presence])).toEqual([
      ['nf_tables', KmodPresence.KMOD_PRESENCE_LOADED],
      ['dummy', KmodPresence.KMOD_PRESENCE_ON_DISK],
    ]);
    host.kernel.load('dummy');
    host.kernel.unload('dummy');
    await expect.poll(() => told).toEqual(['dummy', 'dummy']);
    await inventory.stop();
  });

  const actionHost = (host: SwarmHost): LinuxActionHost =>
    new LinuxActionHost(
      { files: host.files, exec: host.exec, ownPaths: [], serverRoute: () => undefined, mayChange: true },
      { mode: 'act', allow: [], deny: [], protected: [], window: [], window_limit: 600 },
      undefined,
      host.writes,
    );
  const judge = async (host: SwarmHost, verb: Verb, kmod: string): Promise<string> =>
    (await actionHost(host).assess(ActionRequest.fromPartial({ verb, kmod }), undefined)).decidedBy;

  it.each<[string, Verb, FindingCode | 'ok']>([
    ['sctp', Verb.VERB_UNLOAD, 'ok'],
    ['dummy', Verb.VERB_LOAD, 'ok'],
    ['virtio_net', Verb.VERB_UNLOAD, 'protected'],
    ['virtio_blk', Verb.VERB_UNLOAD, 'protected'],
    ['nf_conntrack', Verb.VERB_UNLOAD, 'held_by'],
    ['no_such_kmod', Verb.VERB_LOAD, 'not_found'],
  ])('is judged as a real one: %s', async (kmod, verb, decidedBy) => {
    expect(await judge(hostOf(kernel, ['sctp']), verb, kmod)).toBe(decidedBy);
  });

  it('takes parameters at run time, and lists of kmods to load at boot', async () => {
    const host = hostOf(kernel, ['nf_conntrack']);
    const action = actionHost(host);
    const ask = async (changes: Partial<ActionRequest>) => {
      const verdict = await action.assess(ActionRequest.fromPartial({ kmod: 'nf_conntrack', ...changes }), undefined);
      for (const step of verdict.plan) expect((await action.execute(step, 'id')).end).toEqual({ kind: 'done' });
      return verdict.plan.map((step) => [step.kind, ...step.parameters].join(' '));
    };
    const acct = { verb: Verb.VERB_SET_PARAMETERS, parameters: ['acct=Y'] };
    expect(await ask(acct)).toEqual(['set_parameters acct=Y']);
    expect(await ask(acct)).toEqual([]);
    expect(await ask({ verb: Verb.VERB_ENSURE_LOADED })).toEqual(['persist']);
    expect(await ask({ verb: Verb.VERB_ENSURE_LOADED })).toEqual([]);
    const { kmods, health } = await action.record(['nf_conntrack']);
    expect(kmods[0]).toMatchObject({ loaded: true, persisted: true });
    expect(health).toMatchObject({ oopsCount: 0, links: ['enp0s3 up', 'lo unknown'], mounts: ['/dev/vda1 / ext4'] });
    const undo = [{ kind: 'unpersist', kmod: 'nf_conntrack', parameters: [] }];
    expect(await ask({ verb: Verb.VERB_RESTORE, undo })).toEqual(['unpersist']);
  });

  it('keeps a kmod that is held, and says so', async () => {
    const host = hostOf(kernel, ['sctp']);
    host.kernel.hold('sctp', true);
    expect(host.kernel.unload('sctp')).toMatchObject({ kind: 'refused' });
    expect(await judge(host, Verb.VERB_UNLOAD, 'sctp')).toBe('in_use');
    host.kernel.hold('sctp', false);
    expect(host.kernel.unload('sctp')).toEqual({ kind: 'done' });
    expect(host.kernel.procModules()).not.toContain('sctp ');
  });

  it('has routines that fail and hang where it is told so', async () => {
    const host = hostOf(kernel, ['sctp'], { routine: (kmod) => (kmod === 'sctp' ? 'hangs' : 'fails') });
    expect(host.kernel.load('dummy')).toMatchObject({ kind: 'refused' });
    const ran = await host.exec.run('rmmod', ['sctp'], { timeoutMs: 1 });
    expect(ran.ended).toEqual({ kind: 'timed_out', reaped: false });
    expect(host.kernel.procModules()).toMatch(/^sctp \d+ -1 - Unloading /m);
    host.kernel.exitReturns('sctp');
    expect(host.kernel.procModules()).not.toContain('sctp ');
  });
});

it('plans the same fleet for the same seed, another for another', () => {
  const fleet = (seed: number) =>
    Array.from({ length: 200 }, (_, number) => planHost(number, hostRandom(seed, number)));
  expect(fleet(1)).toEqual(fleet(1));
  expect(fleet(2)).not.toEqual(fleet(1));
  expect(new Set(fleet(1).map(({ labels }) => labelsKey(labels))).size).toBeGreaterThan(20);
});
