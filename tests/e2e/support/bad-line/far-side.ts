import { execFileSync } from 'node:child_process';
import type { ClusterPlace } from '../cluster.ts';

/** Ours, by whose process made them: one that was killed leaves its namespace behind. */
const NAMESPACE = /^modfleet-line-(\d+)-\d+$/;
/** For measurements of networks (RFC 2544): nothing real has these addresses. A third number tells runs side by side apart. */
const LINE_NET = '198.18';
const PLAIN_NET = '198.19';
const NUMBERS = 256;
/** Hosts have the upper half of a /24, servers the lower. */
const FIRST_HOST = 129;
const SERVERS = [1, 2];
const HOSTS_MAX = 126;

let opened = 0;

/**
 * A network namespace with two ways to it: a plain one, over which its servers reach PostgreSQL and are asked by people, and the device of a line of which somebody
 * else makes what it likes.
 */
export class FarSide {
  readonly namespace: string;
  readonly #number: number;
  readonly #closeAtExit = (): void => this.close();

  private constructor(namespace: string, number: number) {
    this.namespace = namespace;
    this.#number = number;
    process.once('exit', this.#closeAtExit);
  }

  /** As root. Whoever opened one before, and is no more, leaves nothing behind either. */
  static open(): FarSide {
    sweep();
    opened += 1;
    const namespace = `modfleet-line-${process.pid}-${opened}`;
    ip('netns', 'add', namespace);
    try {
      const far = new FarSide(namespace, claimNumber(namespace));
      far.#plainWay();
      return far;
    } catch (error) {
      ip('netns', 'delete', namespace);
      throw error;
    }
  }

  /** Name of the line's device, on both sides. */
  get device(): string {
    return `mfl${this.#number}`;
  }

  hostAddress(number: number): string {
    if (number >= HOSTS_MAX) throw new Error(`a line has addresses for ${HOSTS_MAX} hosts`);
    return `${LINE_NET}.${this.#number}.${FIRST_HOST + number}`;
  }

  serverAddress(number: number): string {
    const last = SERVERS[number];
    if (last === undefined) throw new Error(`a line has addresses for ${SERVERS.length} servers`);
    return `${LINE_NET}.${this.#number}.${last}`;
  }

  /** Once the device is there on both sides. */
  connect(): void {
    const { device, namespace } = this;
    const [servers, hosts] = [`${LINE_NET}.${this.#number}.0/25`, `${LINE_NET}.${this.#number}.128/25`];
    ip('link', 'set', device, 'up');
    ip('route', 'add', servers, 'dev', device);
    ip('route', 'add', 'local', hosts, 'dev', device);
    ip('-n', namespace, 'link', 'set', device, 'up');
    for (const number of SERVERS.keys())
      ip('-n', namespace, 'address', 'add', `${this.serverAddress(number)}/25`, 'dev', device);
    ip('-n', namespace, 'route', 'add', hosts, 'dev', device);
  }

  place(): ClusterPlace {
    const here = `${PLAIN_NET}.${this.#number}.1`;
    return {
      within: ['ip', 'netns', 'exec', this.namespace],
      agents: (number) => this.serverAddress(number),
      http: `${PLAIN_NET}.${this.#number}.2`,
      database: here,
      // Nobody else is on that way: plain HTTP, as behind a proxy.
      settings: { MODFLEET_TRUSTED_PROXY: here },
    };
  }

  close(): void {
    process.off('exit', this.#closeAtExit);
    // The devices go with it.
    ip('netns', 'delete', this.namespace);
  }

  #plainWay(): void {
    const device = plainDevice(this.#number);
    const { namespace } = this;
    ip('address', 'add', `${PLAIN_NET}.${this.#number}.1/30`, 'dev', device);
    ip('link', 'set', device, 'up');
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
    ip('-n', namespace, 'address', 'add', `${PLAIN_NET}.${this.#number}.2/30`, 'dev', device);
    ip('-n', namespace, 'link', 'set', device, 'up');
  }
}

function plainDevice(number: number): string {
  return `mfv${number}`;
}

/** Who makes the device of that name has the number: the kernel lets one alone. */
function claimNumber(namespace: string): number {
  const first = process.pid % NUMBERS;
  let last: unknown;
  for (let tried = 0; tried < NUMBERS; tried += 1) {
    const number = (first + tried) % NUMBERS;
    const device = plainDevice(number);
    try {
      ip('link', 'add', device, 'type', 'veth', 'peer', 'name', device, 'netns', namespace);
      return number;
    } catch (error) {
      last = error;
    }
  }
  throw new Error('no device can be made for the way to another network namespace', { cause: last });
}

function sweep(): void {
  for (const line of ip('netns', 'list').split('\n')) {
    const [name = ''] = line.split(' ');
    const pid = Number(NAMESPACE.exec(name)?.[1]);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    try {
      ip('netns', 'delete', name);
    } catch {
      // Another run was faster.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function ip(...args: readonly string[]): string {
  return execFileSync('ip', [...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
