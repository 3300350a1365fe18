import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfirmEnd, Outcome } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { endingOfWindow } from '../actions/action.machine.ts';
import type { ConfirmAnswer } from './confirmer.ts';
import { EARLY_MS } from './revert-move.ts';
import { aReport } from './testing/builders.ts';
import { STAT, WindowWorld } from './testing/window-world.ts';
import type { WindowKeeper } from './window-keeper.ts';

const ORDER = { actionId: 'a1', kmod: 'virtio_net', kmods: ['virtio_net'], windowSeconds: 30 };
const YES: ConfirmAnswer = { kind: 'confirmed', from: '10.0.0.7:40123' };
const REPORT = aReport();

let world: WindowWorld;
let keeper: WindowKeeper;
const signal = new AbortController().signal;

beforeEach(async () => {
  world = new WindowWorld(await mkdtemp(path.join(tmpdir(), 'modfleet-window-')));
  keeper = world.keeper();
});
afterEach(() => rm(world.folder, { recursive: true }));

describe('a confirm window on disk', () => {
  it('is put back once, when a second revert begins while the first one ends', async () => {
    await keeper.open(ORDER);
    world.takeOwner = async () => {
      world.takeOwner = async () => true;
      expect(await world.revert('agent', 'agent_died')).toBe('reverted');
      await keeper.close(ORDER.actionId);
      return true;
    };
    world.now = 31_000;
    expect(await world.revert('timer', undefined)).toBe('not_open');
    expect(world.reverts).toBe(1);
  });

  it('is left alone by a revert while another is at work', async () => {
    await keeper.open(ORDER);
    await world.store.claim();
    let looks = 0;
    world.takeOwner = async () => {
      looks += 1;
      if (looks === 3) await world.store.report(REPORT);
      return false;
    };
    expect(await world.revert('agent', 'no_server')).toBe('elsewhere');
    expect([world.reverts, looks]).toEqual([0, 3]);
  });

  it('is put back all the same when another has it and does not end it', async () => {
    await keeper.open(ORDER);
    world.takeOwner = async () => false;
    expect(await world.revert('agent', 'no_server')).toBe('reverted');
    expect([world.reverts, world.now >= 300_000]).toEqual([1, true]);
  });

  it('is put back by another revert when the first one dies after its claim', async () => {
    await keeper.open(ORDER);
    world.dead = 2;
    const report = await keeper.ask('a1', signal);
    expect(report).toMatchObject({ end: ConfirmEnd.CONFIRM_END_REVERTED, cause: 'no_server', endedBy: 'agent' });
    expect([world.reverts, world.begun]).toEqual([1, ['no_server', 'no_server']]);
  });

  it('whose reverts all die is not called reverted, and not forgotten: the next start puts the host back', async () => {
    await keeper.open(ORDER);
    world.dead = Infinity;
    const report = await keeper.ask('a1', signal);
    expect(report).toMatchObject({ end: ConfirmEnd.CONFIRM_END_UNKNOWN, cause: 'no_server' });
    expect(endingOfWindow(report)).toMatchObject({ outcome: Outcome.OUTCOME_INTERRUPTED, code: 'interrupted' });
    expect(endingOfWindow(report).message).not.toContain('put itself back');
    await keeper.close('a1');
    expect(await world.store.look()).toMatchObject({ kind: 'reverting' });
    world.dead = 0;
    await world.keeper().tidy(signal);
    expect([await world.store.look(), world.reverts]).toEqual([{ kind: 'none' }, 1]);
  });

  it('that no revert has begun is not forgotten either, and one without a step is', async () => {
    await keeper.open(ORDER);
    world.timerAt = Infinity;
    world.takeOwner = () => new Promise(() => undefined);
    world.revert = async () => 'elsewhere';
    expect(await keeper.ask('a1', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_UNKNOWN });
    await keeper.close('a1');
    expect(await world.store.look()).toMatchObject({ kind: 'pending' });
    await world.keeper().close('a1');
    expect(await world.store.look()).toEqual({ kind: 'none' });
  });

  it('is not ended by the timer of an older one that could not be disarmed', async () => {
    world.armFails = 'no answer within 20 s';
    expect(await keeper.open({ ...ORDER, actionId: 'old' })).toMatchObject({ kind: 'failed' });
    expect([world.disarmed, world.timerAt]).toEqual([1, 31_000]);
    world.now = 26_000;
    world.armFails = undefined;
    await keeper.open({ ...ORDER, windowSeconds: 600 });
    world.now = 31_000;
    expect(await world.revert('timer', undefined, 'old')).toBe('not_open');
    expect([(await world.store.look()).kind, world.reverts]).toEqual(['pending', 0]);
  });

  it('that was written and not synced is forgotten; another action’s is not', async () => {
    const { store } = world;
    const put = store.put.bind(store);
    store.put = async (plan) => {
      await put(plan);
      throw new Error('EIO: i/o error, fsync');
    };
    expect(await keeper.open(ORDER)).toMatchObject({ kind: 'failed', code: 'unjournalled' });
    expect([await store.look(), world.timerAt]).toEqual([{ kind: 'none' }, Infinity]);
    store.put = put;
    await keeper.open({ ...ORDER, actionId: 'other' });
    store.put = () => Promise.reject(new Error('EIO'));
    expect(await keeper.open(ORDER)).toMatchObject({ kind: 'failed', code: 'unjournalled' });
    expect(await store.look()).toMatchObject({ kind: 'pending', plan: { actionId: 'other' } });
  });

  it('is ended by its own timer at the deadline, not before it', async () => {
    await keeper.open(ORDER);
    expect(await world.revert('timer', undefined, 'a1')).toBe('reverted');
    expect(world.now).toBeGreaterThanOrEqual(31_000 - EARLY_MS);
  });

  it('is put back although the claim cannot be written (a file system that became read-only)', async () => {
    await keeper.open(ORDER);
    world.store.claim = () => Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' }));
    expect(await world.revert('agent', 'no_server')).toBe('reverted');
    expect(world.reverts).toBe(1);
  });

  it('is not kept when that cannot be written', async () => {
    await keeper.open(ORDER);
    world.answer = YES;
    world.store.keep = () => Promise.reject(Object.assign(new Error('EROFS'), { code: 'EROFS' }));
    expect(await keeper.ask('a1', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_REVERTED, cause: 'no_server' });
  });

  it('reaches its last rung although the report cannot be written (a full disk)', async () => {
    world.server = { host: 'modfleet.example.com', port: 7783 };
    await keeper.open(ORDER);
    world.reachedAt = Infinity;
    world.store.report = () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    await world.revert('agent', 'no_server');
    expect([world.reverts, world.reboots]).toEqual([1, 1]);
  });

  it('whose report cannot be written ends in failure, so that it is begun again', async () => {
    await keeper.open(ORDER);
    world.store.report = () => Promise.reject(Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' }));
    await expect(world.revert('agent', 'no_server')).rejects.toThrow('ENOSPC');
    expect((await world.store.look()).kind).toBe('reverting');
  });

  it('that cannot be read for a moment is read a moment later', async () => {
    await keeper.open(ORDER);
    const { store } = world;
    const look = store.look.bind(store);
    let failures = 10;
    store.look = async () => ((failures -= 1) >= 0 ? { kind: 'unreadable', reason: 'EMFILE' } : look());
    expect(await world.keeper().afterCrash('a1', signal)).toMatchObject({ cause: 'agent_died' });
    expect(world.reverts).toBe(1);
  });

  it('that cannot be read is neither deleted nor called reverted, and is reverted unseen', async () => {
    await keeper.open(ORDER);
    const { store } = world;
    store.look = async () => ({ kind: 'unreadable', reason: 'EMFILE' });
    world.revert = async () => 'not_open';
    const next = world.keeper();
    expect(await next.afterCrash('a1', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_UNKNOWN });
    await next.close('a1');
    expect([existsSync(path.join(world.folder, 'confirm/pending.json')), world.begun]).toEqual([true, ['agent_died']]);
  });

  it('that cannot be understood is moved aside for people, and said to be unknown', async () => {
    await keeper.open(ORDER);
    writeFileSync(path.join(world.folder, 'confirm/pending.json'), '{"format":2}');
    const next = world.keeper();
    expect(await next.obstacle()).toMatchObject({ code: 'busy' });
    expect(await world.revert('timer', undefined)).toBe('damaged');
    const report = await next.afterCrash('a1', signal);
    expect(report).toMatchObject({ end: ConfirmEnd.CONFIRM_END_UNKNOWN });
    expect(report?.missing.join()).toContain('pending.json.damaged-1');
    expect(await readdir(path.join(world.folder, 'confirm'))).toEqual(['pending.json.damaged-1']);
    expect(await keeper.open(ORDER)).toMatchObject({ kind: 'opened' });
  });

  it('is kept when the server answers, and forgotten when its end is journalled', async () => {
    expect(await keeper.open(ORDER)).toEqual({ kind: 'opened', deadlineServerMs: 1_031_000 });
    world.answer = YES;
    const report = await keeper.ask('a1', signal);
    expect(report).toMatchObject({ end: ConfirmEnd.CONFIRM_END_KEPT, cause: '', localAddress: YES.from, attempts: 1 });
    expect(await world.revert('timer', undefined)).toBe('not_open');
    await keeper.close('a1');
    expect([await world.store.look(), world.timerAt, world.reverts]).toEqual([{ kind: 'none' }, Infinity, 0]);
  });

  it('is reverted by its timer when nobody answers, and says what is missing', async () => {
    await keeper.open(ORDER);
    const report = await keeper.ask('a1', signal);
    expect(report).toMatchObject({
      end: ConfirmEnd.CONFIRM_END_REVERTED,
      cause: 'no_server',
      endedBy: 'timer',
      restored: ['kmod virtio_net'],
      missing: ['route y'],
    });
    expect([world.asked > 20, world.reverts, world.begun]).toEqual([true, 1, []]);
  });

  it('is reverted at once when the server says no, and when a step failed', async () => {
    await keeper.open(ORDER);
    world.answer = { kind: 'refused', message: 'no window' };
    expect(await keeper.ask('a1', signal)).toMatchObject({ cause: 'refused', endedBy: 'agent', attempts: 1 });
    await keeper.close('a1');
    await keeper.open(ORDER);
    const failed = await keeper.giveUp('a1', signal);
    expect(failed).toMatchObject({ end: ConfirmEnd.CONFIRM_END_NOT_ASKED, cause: 'step_failed' });
  });

  it('is reverted once more when a routine that hung returns after all', async () => {
    const keeper = world.keeper();
    await keeper.open(ORDER);
    await keeper.giveUp('a1', signal);
    expect(await keeper.again('other', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_UNKNOWN });
    expect(await keeper.again('a1', signal)).toMatchObject({
      end: ConfirmEnd.CONFIRM_END_NOT_ASKED,
      restored: ['kmod virtio_net'],
    });
    expect([world.reverts, world.begun]).toEqual([2, ['step_failed', 'step_failed']]);
    await keeper.close('a1');
    expect(await world.store.look()).toEqual({ kind: 'none' });
  });

  it('is reverted by the agent when its timer does not fire', async () => {
    await keeper.open(ORDER);
    world.timerAt = Infinity;
    expect(await keeper.ask('a1', signal)).toMatchObject({ cause: 'no_server', endedBy: 'agent' });
  });

  it.each([
    ['boot-1', 'agent_died'],
    ['boot-2', 'rebooted'],
  ])('that a crash left open is reverted by the next agent (%s: %s)', async (boot, cause) => {
    await keeper.open(ORDER);
    world.files.nodes.set('/proc/sys/kernel/random/boot_id', boot);
    const next = world.keeper();
    expect(await next.afterCrash('a1', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_REVERTED, cause });
    expect(await next.afterCrash('another', signal)).toBeUndefined();
    await next.close('a1');
    expect(await next.afterCrash('a1', signal)).toBeUndefined();
  });

  it('that was kept stays kept after a crash', async () => {
    await keeper.open(ORDER);
    await world.store.keep();
    expect(await world.keeper().afterCrash('a1', signal)).toMatchObject({ end: ConfirmEnd.CONFIRM_END_KEPT });
    expect(world.reverts).toBe(0);
  });

  it('knows that the agent died when its timer fires', async () => {
    await keeper.open(ORDER);
    world.files.nodes.delete(STAT);
    await world.revert('timer', undefined);
    expect(await world.keeper().afterCrash('a1', signal)).toMatchObject({ cause: 'agent_died', endedBy: 'timer' });
  });

  it('is the only one: a second is refused, and one without a timer is none', async () => {
    await keeper.open(ORDER);
    expect(await keeper.obstacle()).toMatchObject({ code: 'busy' });
    expect(await keeper.open({ ...ORDER, actionId: 'a2' })).toMatchObject({ kind: 'failed', code: 'busy' });
    expect(await world.store.look()).toMatchObject({ kind: 'pending', plan: { actionId: 'a1' } });
    await keeper.close('a1');
    world.armFails = 'no systemd';
    expect(await keeper.open(ORDER)).toMatchObject({ kind: 'failed', code: 'unsupported' });
    expect(await world.store.look()).toEqual({ kind: 'none' });
  });

  it('has one winner, whoever comes first', async () => {
    for (const order of ['keep', 'claim'] as const) {
      await keeper.open(ORDER);
      const won = await Promise.all(
        (order === 'keep' ? ['keep', 'claim'] : ['claim', 'keep']).map((one) =>
          one === 'keep' ? world.store.keep() : world.store.claim(),
        ),
      );
      expect(won.filter(Boolean)).toHaveLength(1);
      await world.store.clear();
    }
  });

  it('has its last word when the server is reached again, where the host may reboot to recover', async () => {
    world.server = { host: 'modfleet.example.com', port: 7783 };
    await keeper.open(ORDER);
    world.reachedAt = 45_000;
    expect(await keeper.ask('a1', signal)).toMatchObject({ cause: 'no_server', rebootedToRecover: false });
    expect([world.reboots, world.now >= 45_000]).toEqual([0, true]);
    await keeper.close('a1');
    expect(await world.store.look()).toEqual({ kind: 'none' });
  });

  it('ends in a reboot, and says so afterwards, when the server is not reached for a second window', async () => {
    world.server = { host: 'modfleet.example.com', port: 7783 };
    await keeper.open(ORDER);
    world.reachedAt = Infinity;
    await world.revert('timer', undefined);
    expect(world.reboots).toBe(1);
    world.files.nodes.set('/proc/sys/kernel/random/boot_id', 'boot-2');
    const next = world.keeper();
    expect(await next.afterCrash('a1', signal)).toMatchObject({ cause: 'no_server', rebootedToRecover: true });
    await next.close('a1');
    expect(await world.store.look()).toEqual({ kind: 'none' });
  });

  it('says what is known when the process that waits for the server is gone', async () => {
    world.server = { host: 'modfleet.example.com', port: 7783 };
    await keeper.open(ORDER);
    await world.store.claim();
    await world.store.report({ ...REPORT, waitsForServer: true });
    expect(await world.keeper().afterCrash('a1', signal)).toMatchObject({
      cause: 'no_server',
      rebootedToRecover: false,
    });
  });

  it('that is left over from an action that has ended is reverted and forgotten', async () => {
    await keeper.open(ORDER);
    await world.keeper().tidy(signal);
    expect([await world.store.look(), world.reverts]).toEqual([{ kind: 'none' }, 1]);
  });
});
