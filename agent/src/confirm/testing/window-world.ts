import { setTimeout as delay } from 'node:timers/promises';
import type { ConfirmCause } from '@modfleet/proto';
import { QuietLog } from '../../actions/testing/simulated-host.ts';
import { MemoryHostFiles } from '../../host/memory-host-files.ts';
import type { AtWork } from '../confirm.machine.ts';
import type { ConfirmAnswer } from '../confirmer.ts';
import { FileWindowStore } from '../file-window-store.ts';
import { type RevertEnd, type RevertPorts, revertWindow } from '../revert.ts';
import { WindowKeeper } from '../window-keeper.ts';
import type { EndedBy, ServerAddress } from '../window-plan.ts';
import { NOTHING } from './builders.ts';

/** Of the process that asks for the confirm. */
export const STAT = '/proc/42/stat';
const AWAY: ConfirmAnswer = { kind: 'unreachable', message: 'no route' };

/** A host with one real folder; time goes on only while somebody sleeps. */
export class WindowWorld {
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
          this.timerOf = _id;
          return this.armFails;
        },
        disarm: async () => {
          this.disarmed += 1;
          // What systemd-run was too late to say is there all the same, and stays.
          if (this.armFails === undefined) this.timerAt = Infinity;
          return undefined;
        },
        begin: async (actionId, cause) => {
          this.begun.push(cause);
          await this.revert('agent', cause, actionId);
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
      snapshot: async () => NOTHING,
      putBack: async () => ({ restored: ['address x'], missing: [] }),
      atWork: async () => (this.dead > 0 ? 'nobody' : this.atWork),
      rebootToRecover: true,
      server: async () => this.server,
      sleep: async (ms) => {
        this.now += ms;
        if (this.now < this.timerAt) return;
        this.timerAt = Infinity;
        await this.revert('timer', undefined, this.timerOf);
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

  /** Reverts that die after their claim (out of memory, killed), one after the other. */
  dead = 0;
  atWork: AtWork = 'nobody';
  disarmed = 0;
  timerOf = '';

  async revert(by: EndedBy, cause: ConfirmCause | undefined, actionId?: string): Promise<RevertEnd> {
    const ports: RevertPorts = {
      files: this.files,
      clock: { nowMs: () => this.now },
      store: this.store,
      log: new QuietLog(),
      sleep: async (ms) => void (this.now += ms),
      owner: { take: () => this.takeOwner(), drop: async () => undefined },
      putBack: async () => {
        if (this.dead > 0) return new Promise(() => undefined);
        this.reverts += 1;
        return { restored: ['kmod virtio_net'], missing: ['route y'] };
      },
      reboot: async () => void (this.reboots += 1),
      reachesServer: async () => (this.now >= this.reachedAt ? 'answers' : 'silent'),
    };
    const order = { by, cause, ...(actionId === undefined ? {} : { actionId }) };
    if (this.dead === 0) return revertWindow(ports, order);
    await Promise.race([revertWindow(ports, order), delay(20)]);
    this.dead -= 1;
    return 'elsewhere';
  }
}
