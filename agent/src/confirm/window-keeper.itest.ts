import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ConfirmCause, ConfirmEnd } from '@modfleet/proto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QuietLog } from '../actions/testing/simulated-host.ts';
import { FakeExec } from '../exec/fake-exec.ts';
import { MemoryHostFiles } from '../host/memory-host-files.ts';
import type { ConfirmAnswer } from './confirmer.ts';
import { FileWindowStore } from './file-window-store.ts';
import { type RevertEnd, type RevertPorts, revertWindow } from './revert.ts';
import type { HostSnapshot } from './snapshot/host-snapshot.ts';
import { WindowKeeper } from './window-keeper.ts';
import { type EndedBy, type RevertReport, type ServerAddress, WINDOW_FORMAT } from './window-plan.ts';

const SNAPSHOT: HostSnapshot = { links: [], addresses: [], routes: [], rules: [], settings: [], kmods: [] };
const STAT = '/proc/42/stat';
const ORDER = { actionId: 'a1', kmod: 'virtio_net', kmods: ['virtio_net'], windowSeconds: 30 };
const YES: ConfirmAnswer = { kind: 'confirmed', from: '10.0.0.7:40123' };
const AWAY: ConfirmAnswer = { kind: 'unreachable', message: 'no route' };

/** A host with one real folder; time goes on only while somebody sleeps. */
class World {
  readonly folder: string;
  readonly files = new MemoryHostFiles({
    '/proc/sys/kernel/random/boot_id': 'boot-1\n',
    '/proc/sys/kernel/tainted': '0\n',
    [STAT]: `42 (agent) S ${Array.from({ length: 18 }, () => '0').join(' ')} 777 0\n`,
  });
  now = 1_000;
  timerAt = Infinity;
  answer: ConfirmAnswer | undefined = AWAY;
  asked = 0;
  armFails: string | undefined;
  reverts = 0;
  readonly begun: ConfirmCause[] = [];
  readonly store: FileWindowStore;

  constructor(folder: string) {
    this.folder = folder;
    this.store = new FileWindowStore(folder);
  }

  keeper(): WindowKeeper {
    const mark = { pid: 42, startTicks: '777' };
    return new WindowKeeper({
      store: this.store,
      timer: {
        obstacle: async () => undefined,
        arm: async (_id, seconds) => {
          this.timerAt = this.now + seconds * 1000;
          return this.armFails;
        },
        disarm: async () => void (this.timerAt = Infinity),
        begin: async (_id, cause) => {
          this.begun.push(cause);
          await this.revert('agent', cause);
        },
      },
      confirmer: {
        confirm: async () => {
          this.asked += 1;
          return this.answer ?? AWAY;
        },
      },
      clock: { nowMs: () => this.now },
      serverClock: { now: () => ({ ms: this.now + 1_000_000, errorMs: 5 }) },
      log: new QuietLog(),
      bootId: async () => this.bootId,
      agent: async () => mark,
      checkSnapshot: async () => undefined,
      snapshot: async () => SNAPSHOT,
      putBack: async () => ({ restored: ['address x'], missing: [] }),
      rebootToRecover: true,
      server: async () => this.server,
      sleep: async (ms) => {
        this.now += ms;
        if (this.now >= this.timerAt) await this.revert('timer', undefined);
      },
    });
  }

  /** Without it the host never reboots, whatever its policy. */
  server: ServerAddress | undefined;
  reachedAt = 0;
  reboots = 0;

  get bootId(): string {
    return String(this.files.nodes.get('/proc/sys/kernel/random/boot_id')).trim();
  }

  /** What happens until a revert has its place; false: another has it. */
  takeOwner: () => Promise<boolean> = async () => true;

  revert(by: EndedBy, cause: ConfirmCause | undefined): Promise<RevertEnd> {
    const ports: RevertPorts = {
      files: this.files,
      exec: new FakeExec(),
      clock: { nowMs: () => this.now },
      store: this.store,
      log: new QuietLog(),
      sleep: async (ms) => void (this.now += ms),
      owner: { take: () => this.takeOwner(), drop: async () => undefined },
      putBack: async () => {
        this.reverts += 1;
        return { restored: ['kmod virtio_net'], missing: ['route y'] };
      },
      reboot: async () => void (this.reboots += 1),
      reachesServer: async () => this.now >= this.reachedAt,
    };
    return revertWindow(ports, { by, cause });
  }
}

const REPORT: RevertReport = {
  format: WINDOW_FORMAT,
  actionId: ORDER.actionId,
  cause: 'no_server',
  by: 'timer',
  restored: [],
  missing: [],
  rebootedToRecover: false,
  waitsForServer: false,
};

let world: World;
let keeper: WindowKeeper;
const signal = new AbortController().signal;

beforeEach(async () => {
  world = new World(await mkdtemp(path.join(tmpdir(), 'modfleet-window-')));
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
    expect(await world.revert('timer', undefined)).toBe('not_open');
    expect(world.reverts).toBe(1);
  });

  it('is left alone by a revert while another is at work', async () => {
    await keeper.open(ORDER);
    world.takeOwner = async () => false;
    expect(await world.revert('timer', undefined)).toBe('elsewhere');
    expect([world.reverts, (await world.store.look()).kind]).toEqual([0, 'pending']);
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
      await keeper.close('a1');
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
