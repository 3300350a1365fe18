import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { listContent, listPath } from '../../../agent/src/host/host-writes.ts';
import { labPaths } from '../../../lab/src/lab-paths.ts';
import type { Action, Rollout, RolloutTarget, RolloutTargetList } from '../../../services/server/src/api-types.ts';
import { LabFleet, type LabHostWanted, lsmod } from './lab-fleet.ts';
import { renamedKmod } from './renamed-kmod.ts';
import { eventually } from './wait.ts';

/** A file on 6.1, built in on 6.12; /dev/fuse holds it while it is open, and it has parameters to put back. */
export const KMOD = 'fuse';

/** In the order of the rollout, which goes by the label `place`. */
export const CANARY = 'roll-canary';
export const STUCK = 'roll-stuck';
export const LATE = 'roll-late';
export const NEXT = 'roll-next';
export const USED = 'roll-used';
export const BUILTIN = 'roll-builtin';
export const NAMES = [CANARY, STUCK, LATE, NEXT, USED, BUILTIN];

/** How fuse is loaded at each boot: to each host its own values, which are in no file that modprobe reads. */
export const PARAMETERS: Readonly<Record<string, string>> = {
  [CANARY]: 'allow_sys_admin_access=N max_user_bgreq=11 max_user_congthresh=8',
  [LATE]: 'allow_sys_admin_access=N max_user_bgreq=22 max_user_congthresh=16',
  [NEXT]: 'allow_sys_admin_access=Y max_user_bgreq=33 max_user_congthresh=24',
  [USED]: 'allow_sys_admin_access=N max_user_bgreq=44 max_user_congthresh=32',
};

/** Hosts that the rollout changes: loaded with parameters, and on modfleet's own list of what is loaded at boot. */
export const CHANGED = Object.keys(PARAMETERS);

/** Emulated hosts that share two cores, at times with other tests. */
const LIMIT_MS = 600_000;

/** The hosts as they boot. On the one that hangs another kmod goes by the name. */
async function hostsWanted(): Promise<LabHostWanted[]> {
  const inittab = await readFile(join(labPaths.guestFiles, 'fast/inittab'), 'utf8');
  const stuck = await renamedKmod('6.1', 'mf_stuck_exit', KMOD);
  return NAMES.map((name) => ({
    name,
    kind: 'fast',
    series: name === BUILTIN ? '6.12' : '6.1',
    files: {
      // Busybox init starts one program a line: a list of commands needs a script of its own.
      '/etc/inittab': `${inittab}::sysinit:/bin/sh /etc/fuse-at-boot\n`,
      '/etc/fuse-at-boot':
        name === STUCK
          ? 'base64 -d /etc/fuse.base64 >/run/fuse.ko && insmod /run/fuse.ko\n'
          : `modprobe ${KMOD} ${PARAMETERS[name] ?? ''}\n`,
      ...(name === STUCK ? { '/etc/fuse.base64': stuck } : {}),
      ...(CHANGED.includes(name) ? { [listPath(KMOD)]: listContent(KMOD) } : {}),
    },
  }));
}

/** A rollout over six hosts of two kernels, as one sees it from outside, and the hosts as they see themselves. */
export class RolloutLab {
  readonly lab: LabFleet;
  rolloutId = '';

  private constructor(lab: LabFleet) {
    this.lab = lab;
  }

  /** One host after the other, each asked once by itself: what a helper compiles at its first start it has for the next one. */
  static async start(): Promise<RolloutLab> {
    const lab = await LabFleet.start([]);
    try {
      await lab.bootInTurn(await hostsWanted(), async ({ name }) => {
        const { action } = await lab.act('unload', KMOD, name, '--dry-run', '--expires-in', '10m');
        if (!['succeeded', 'refused'].includes(action.outcome ?? ''))
          throw new Error(`${name} cannot be asked: ${JSON.stringify(action)}`);
        const end = await lab.fleet.modfleet('hosts', 'label', name, `place=${NAMES.indexOf(name)}`);
        if (end.code !== 0) throw new Error(`${name} gets no label: ${end.stderr}`);
        if (name !== BUILTIN && !(await lsmod(lab.host(name))).includes(KMOD))
          throw new Error(`${KMOD} is not loaded on ${name}`);
      });
    } catch (error) {
      await lab.stop();
      throw error;
    }
    return new RolloutLab(lab);
  }

  /** What the command prints as JSON. */
  async said<T>(...args: string[]): Promise<T> {
    const end = await this.lab.fleet.modfleet(...args);
    if (end.code !== 0) throw new Error(`modfleet ${args.join(' ')}: status ${end.code}, ${end.stderr}`);
    return JSON.parse(end.stdout) as T;
  }

  /** By name of the host. */
  async targets(): Promise<Map<string, RolloutTarget>> {
    const { items } = await this.#get<RolloutTargetList>(`/api/v1/rollouts/${this.rolloutId}/targets`);
    return new Map(items.map((item) => [item.host.name, item]));
  }

  target(name: string, what: string, isSo: (target: RolloutTarget) => boolean): Promise<RolloutTarget> {
    return once(`${name} ${what}`, async () => (await this.targets()).get(name), isSo);
  }

  rolloutIs(what: string, isSo: (rollout: Rollout) => boolean): Promise<Rollout> {
    return once(`the rollout is ${what}`, () => this.#get<Rollout>(`/api/v1/rollouts/${this.rolloutId}`), isSo);
  }

  /** Its hosts, in the order in which they were last asked: the way there, or the way back. */
  async inTurn(way: (target: RolloutTarget) => string | null): Promise<string[]> {
    const asked: { name: string; at: string }[] = [];
    for (const [name, target] of await this.targets()) {
      const id = way(target);
      if (id !== null) asked.push({ name, at: (await this.#get<Action>(`/api/v1/actions/${id}`)).createdAt });
    }
    return asked.sort((one, other) => (one.at < other.at ? -1 : 1)).map(({ name }) => name);
  }

  /** fuse on the host, past all product: `name=value …` as it is loaded; undefined: it is not. */
  async fuseOn(name: string): Promise<string | undefined> {
    const host = this.lab.host(name);
    if (!(await lsmod(host)).includes(KMOD)) return undefined;
    const words = 'for one in *; do echo "$one=$(cat $one)"; done';
    return (await host.must(`cd /sys/module/${KMOD}/parameters && ${words}`)).replaceAll('\n', ' ');
  }

  /** What is loaded at the host's next boot and how, past all product: each file with all of its lines. */
  async atBoot(name: string): Promise<string> {
    const { stdout } = await this.lab
      .host(name)
      .run('grep -r . /etc/modules-load.d /etc/modprobe.d 2>/dev/null | sort');
    return stdout;
  }

  async stop(): Promise<void> {
    await this.lab.stop();
  }

  async #get<T>(path: string): Promise<T> {
    const { status, body } = await this.lab.fleet.api('GET', path);
    if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(body)}`);
    return body as T;
  }
}

/** What is looked at, once it is so; with how it was at last where it never is. */
async function once<T>(what: string, look: () => Promise<T | undefined>, isSo: (seen: T) => boolean): Promise<T> {
  let last: T | undefined;
  const seen = async (): Promise<T | undefined> => {
    last = await look();
    return last !== undefined && isSo(last) ? last : undefined;
  };
  return eventually(what, seen, LIMIT_MS).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${JSON.stringify(last)}`, { cause: error });
  });
}
