import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Rollout, RolloutPlan } from '../../../services/server/src/api-types.ts';
import {
  BUILTIN,
  CANARY,
  CHANGED,
  KMOD,
  LATE,
  NAMES,
  NEXT,
  PARAMETERS,
  RolloutLab,
  STUCK,
  USED,
} from '../support/rollout-lab.ts';

/*
 * One rollout over six hosts of two kernels: fuse is to go, and is not to come back at boot. One host hangs, one is off, one uses it, one has it built in. The
 * tests build on each other.
 */
const UNLOADING = /^fuse \d+ -1 - Unloading /m;

let on: RolloutLab;
/** Process that holds /dev/fuse open. */
let holder: string;
let planId: string;
/** What each host loads at boot, before anything was done. */
const atBoot = new Map<string, string>();
let lateReturns: Promise<void> = Promise.resolve();

const isBaking = (wave: number) => (now: Rollout) => now.wave === wave && now.waves[wave]?.state === 'baking';

beforeAll(async () => {
  on = await RolloutLab.start();
  for (const name of NAMES) atBoot.set(name, await on.atBoot(name));
  holder = await on.lab.host(USED).must(`sleep 100000 </dev/${KMOD} >/dev/null 2>&1 & echo $!`);
  await on.lab.host(LATE).powerOff();
  await on.lab.disconnected(LATE);
});

afterAll(async () => {
  await lateReturns.catch(() => undefined);
  await on?.stop();
});

it('plans: what would be done and where, what refuses and by which evidence, and of whom nobody can say', async () => {
  const fields = 'id,counts,classes,refusals,unknowns';
  // As soon as all have answered it is ready.
  const asked = ['rollouts', 'plan', 'ensure-unloaded', KMOD, '--all', '--wait', '10m'];
  const plan = await on.said<RolloutPlan>(...asked, '--json', fields);
  planId = plan.id;
  const counts = { total: 6, wouldChange: 3, unchanged: 0, refused: 2, unknown: 1, asked: 0 };
  expect(plan.counts, JSON.stringify(plan)).toEqual(counts);
  // The host that hangs has no list of modfleet's to take away: another class.
  const classes = plan.classes.map(({ standing, hosts, steps }) => [standing, hosts, steps.map(({ kind }) => kind)]);
  expect(classes).toEqual([
    ['would_change', 2, ['unpersist', 'rmmod']],
    ['would_change', 1, ['rmmod']],
  ]);
  const refusal = (code: string) => plan.refusals.find((one) => one.code === code);
  expect([refusal('in_use')?.retried, refusal('in_use')?.sample.map(({ name }) => name)]).toEqual([true, [USED]]);
  expect(JSON.stringify(refusal('in_use')?.evidence)).toContain(holder);
  expect([refusal('builtin')?.retried, refusal('builtin')?.sample.map(({ name }) => name)]).toEqual([false, [BUILTIN]]);
  expect(JSON.stringify(refusal('builtin')?.evidence)).toContain('modules.builtin');
  expect(plan.unknowns.map(({ code, sample }) => [code, sample.map(({ name }) => name)])).toEqual([['silent', [LATE]]]);
  for (const name of [CANARY, NEXT]) expect(await on.fuseOn(name)).toBe(PARAMETERS[name]);
});

it('begins with the canary alone, and looks at it when its bake is over', async () => {
  const settings = ['--canary', '--waves', '4,100%', '--concurrency', '1', '--bake', '1h', '--deadline', '2h'];
  const budget = ['--budget', 'stuck=0,unhealthy=1', '--order', 'label:place'];
  const created = await on.said<Rollout>('rollouts', 'create', planId, ...settings, ...budget, '--json', 'id');
  on.rolloutId = created.id;
  const baking = await on.rolloutIs('baking after its canary', isBaking(0));
  expect(baking.waves.map(({ canary, counts }) => [canary, counts.total])).toEqual([
    [true, 1],
    [false, 3],
    [false, 2],
  ]);
  const seen = await on.targets();
  expect(NAMES.map((name) => seen.get(name)?.wave)).toEqual([0, 1, 1, 1, 2, 2]);
  expect(seen.get(CANARY)).toMatchObject({ outcome: 'succeeded', healthSeen: false });
  expect(NAMES.filter((name) => (seen.get(name)?.attempts ?? 0) > 0)).toEqual([CANARY]);
  expect([await on.fuseOn(CANARY), await on.fuseOn(NEXT)]).toEqual([undefined, PARAMETERS[NEXT]]);
  expect(await on.atBoot(CANARY)).not.toContain(KMOD);

  await on.said('rollouts', 'promote', on.rolloutId, '--json', 'id');
  await on.rolloutIs('in wave 1', ({ wave }) => wave === 1);
  expect((await on.targets()).get(CANARY)).toMatchObject({ healthSeen: true, health: [] });
});

it('pauses by its budget at the exit routine that hangs, and sends nothing after it', async () => {
  const paused = await on.rolloutIs('paused', ({ state }) => state === 'paused');
  expect(paused.counts.dispatched).toBe(0);
  expect(paused.budget.filter(({ exceeded }) => exceeded)).toEqual([
    expect.objectContaining({ kind: 'stuck', limit: 0, count: 1 }),
  ]);
  const seen = await on.targets();
  expect(seen.get(STUCK)).toMatchObject({ outcome: 'stuck', healthSeen: false });
  expect(seen.get(STUCK)?.message).toMatch(/reboot/i);
  expect(seen.get(NEXT)).toMatchObject({ state: 'pending', attempts: 0, outcome: null });
  expect(await on.fuseOn(NEXT)).toBe(PARAMETERS[NEXT]);
  expect(await on.lab.host(STUCK).read('/proc/modules')).toMatch(UNLOADING);
  const shown = await on.lab.fleet.modfleet('rollouts', 'show', on.rolloutId, '--targets', '--outcome', 'stuck');
  expect(shown.stdout).toContain(STUCK);
});

it('goes on when told to, without the host that is off, and tells the health of one that was tainted', async () => {
  await on.said('rollouts', 'resume', on.rolloutId, '--json', 'id');
  await on.rolloutIs('baking after wave 1', isBaking(1));
  expect(await on.fuseOn(NEXT)).toBeUndefined();
  // Unsigned and out of tree: whoever looks at the host's health sees it.
  const taint = Number(await on.lab.host(NEXT).must('cat /proc/sys/kernel/tainted; modprobe mf_hello'));
  await on.said('rollouts', 'promote', on.rolloutId, '--json', 'id');
  await on.rolloutIs('in its last wave', ({ wave }) => wave === 2);
  const seen = await on.targets();
  expect(seen.get(NEXT)).toMatchObject({ outcome: 'succeeded', healthSeen: true });
  const words = `from ${taint} to ${taint + 12_288}: an out-of-tree kmod was loaded, an unsigned kmod was loaded`;
  expect(seen.get(NEXT)?.health).toEqual([{ what: 'taint', detail: `the kernel's taint went ${words}` }]);
  expect(seen.get(LATE)).toMatchObject({ state: 'waiting', wait: 'unreachable', outcome: null, late: true });
});

it('asks a host again that refused because it is in use, and one that was off when it is back', async () => {
  lateReturns = on.lab.host(LATE).powerOn();
  const refused = await on.target(USED, 'has refused', ({ wait }) => wait === 'in_use');
  expect(refused).toMatchObject({ state: 'waiting', code: 'in_use', outcome: null });
  expect(JSON.stringify(refused.evidence)).toContain(holder);
  expect(await on.fuseOn(USED)).toBe(PARAMETERS[USED]);
  await on.target(USED, 'is asked again', ({ attempts, wait }) => attempts > 1 && wait === 'in_use');
  await on.lab.host(USED).must(`kill ${holder}`);
  await lateReturns;
  await on.target(LATE, 'has ended', ({ state }) => state === 'ended');
  await on.target(USED, 'has ended', ({ state }) => state === 'ended');
});

it('ends, and says of every host what it is', async () => {
  const over = await on.rolloutIs('over', ({ state }) => state === 'failed' || state === 'succeeded');
  expect(over.state).toBe('failed');
  expect(over.counts.ended).toEqual({ succeeded: 4, stuck: 1, refused: 1 });
  expect(over.message).toContain('2 of 6 hosts are not as was asked for, 1 not healthy afterwards');
  expect((await on.inTurn(({ action }) => action)).slice(0, 3)).toEqual([CANARY, STUCK, NEXT]);
  const seen = await on.targets();
  for (const name of [CANARY, LATE, USED])
    expect(seen.get(name), name).toMatchObject({ outcome: 'succeeded', healthSeen: true, health: [] });
  expect(seen.get(LATE)).toMatchObject({ late: true });
  expect(seen.get(BUILTIN)).toMatchObject({ outcome: 'refused', code: 'builtin', attempts: 0 });
  expect(JSON.stringify(seen.get(BUILTIN)?.evidence)).toContain('modules.builtin');
  for (const name of CHANGED) {
    expect(await on.fuseOn(name), name).toBeUndefined();
    expect(await on.atBoot(name), name).not.toContain(KMOD);
  }
  expect(await on.lab.host(STUCK).read('/proc/modules')).toMatch(UNLOADING);
});

it('puts back what it changed, the last first, with its parameters and its lists, and does not call that whole', async () => {
  await on.said('rollouts', 'rollback', on.rolloutId, '--json', 'id');
  const over = await on.rolloutIs(
    'rolled back, or not',
    ({ state, rollback }) => rollback !== null && (state === 'failed' || state === 'rolled_back'),
  );
  expect(over.state).toBe('failed');
  expect(over.rollback).toEqual({ total: 4, pending: 0, dispatched: 0, restored: 4, failed: 0, unknown: 1 });
  expect(over.message).toBe(
    'Roll back: 4 of 4 hosts that changed were put back; of 1 nobody can say whether they changed.',
  );
  expect(await on.inTurn(({ rollback }) => rollback?.action ?? null)).toEqual([USED, NEXT, LATE, CANARY]);
  for (const name of CHANGED) expect(await on.fuseOn(name), name).toBe(PARAMETERS[name]);
  for (const name of NAMES) expect(await on.atBoot(name), name).toBe(atBoot.get(name));
  expect(await on.lab.host(STUCK).read('/proc/modules')).toMatch(UNLOADING);
  const seen = await on.targets();
  expect([seen.get(STUCK)?.rollback, seen.get(BUILTIN)?.rollback]).toEqual([null, null]);
  expect((await on.lab.fleet.modfleet('rollouts', 'watch', on.rolloutId, '--exit-status')).code).toBe(1);
});
