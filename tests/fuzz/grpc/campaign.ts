import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { TestFleet } from '../../e2e/support/fleet.ts';
import { AdminDoor } from '../support/admin-door.ts';
import { agentDoors, joinedAgent, joinPlanted } from '../support/joined-hosts.ts';
import { type MemoryFigures, MemoryWatch } from '../support/memory-watch.ts';
import { anyAttack, type Attack } from './attack.ts';
import { Attacker, type CallEnd } from './attacker.ts';
import { Neighbour } from './neighbour.ts';

export interface GrpcCounts {
  attacks: number;
  readonly kinds: Record<string, number>;
  /** How calls ended, by gRPC status. */
  readonly ends: Record<string, number>;
  readonly faults: string[];
  memory: MemoryFigures;
  /** Heartbeats of the host beside the attackers: how many were answered, and the longest that one answer took, ms. */
  heartbeats: { answered: number; slowestMs: number };
}

export interface GrpcOptions {
  readonly fleet: TestFleet;
  readonly attacks: number;
  readonly seed: number;
  readonly onChunk?: (counts: GrpcCounts) => void;
}

const PARALLEL = 6;
const CHUNK = 120;
const FAULTS_MAX = 20;
const ATTACKERS = 3;
const VICTIMS = 2;
const INTERNAL = '13';
/** What the gRPC library itself says of bytes that are no message; nothing of the server ran. */
const OF_THE_LIBRARY =
  /^(Error deserializing request|Failed to decompress message|Received message|No message received|Unknown|Unsupported|Request message|Received RST_STREAM)/;

/** Attacks on both listeners, all from one seed, beside hosts that must notice nothing. */
export async function fuzzGrpc({ fleet, attacks, seed, onChunk }: GrpcOptions): Promise<GrpcCounts> {
  const doors = agentDoors(fleet);
  const door = new AdminDoor(fleet);
  const victims: string[] = [];
  for (let at = 0; at < VICTIMS; at += 1)
    victims.push(await joinPlanted(fleet, door, `victim-${at}`, { group: 'victims' }, ['floppy']));
  const actions = await Promise.all(victims.map((host) => requested(fleet, host)));
  const neighbour = await Neighbour.connect(fleet, door);
  const attackers: Attacker[] = [];
  for (let at = 0; at < ATTACKERS; at += 1)
    attackers.push(new Attacker(doors, await joinedAgent(fleet, door, `attacker-${at}`)));
  const before = await rowsOf(fleet, victims);
  const hosts = await hostCount(fleet);
  const memory = await MemoryWatch.begin(fleet.serverPid);
  const counts: GrpcCounts = {
    attacks: 0,
    kinds: {},
    ends: {},
    faults: [],
    memory: memory.figures(),
    heartbeats: neighbour.figures(),
  };
  const plan = anyAttack({ hosts: victims, actions });
  for (let chunk = 0; counts.attacks < attacks && counts.faults.length < FAULTS_MAX; chunk += 1) {
    const waiting = fc
      .sample(plan, { seed: seed + chunk, numRuns: Math.min(CHUNK, attacks - counts.attacks) })
      .entries();
    const one = async (): Promise<void> => {
      for (const [at, attack] of waiting) {
        const attacker = attackers[at % attackers.length];
        if (attacker !== undefined) note(counts, attack, await attacker.attack(attack), seed + chunk);
      }
    };
    await Promise.all(Array.from({ length: PARALLEL }, one));
    await memory.look();
    counts.memory = memory.figures();
    counts.heartbeats = neighbour.figures();
    counts.faults.push(...neighbour.faults());
    if (!(await fetch(`${fleet.http}/healthz`)).ok) counts.faults.push('the server does not answer /healthz any more');
    onChunk?.(counts);
  }
  await delay(300);
  const after = await rowsOf(fleet, victims);
  if (JSON.stringify(after) !== JSON.stringify(before))
    counts.faults.push(`rows of other hosts changed: ${difference(before, after)}`);
  if ((await hostCount(fleet)) !== hosts) counts.faults.push('a host came to be without a join token');
  counts.faults.push(...(await neighbour.end()), ...(await unlogged(fleet, counts)));
  return counts;
}

/** Internal errors of our own name an id, which is found here in the log. */
const ids: string[] = [];

function note(counts: GrpcCounts, attack: Attack, ends: readonly CallEnd[], seed: number): void {
  counts.attacks += 1;
  counts.kinds[attack.kind] = (counts.kinds[attack.kind] ?? 0) + 1;
  for (const { status, message } of ends) {
    counts.ends[status] = (counts.ends[status] ?? 0) + 1;
    if (status !== INTERNAL || OF_THE_LIBRARY.test(message)) continue;
    const id = /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(message)?.[0];
    if (id === undefined)
      counts.faults.push(`INTERNAL without an id to find in the log (seed ${seed}): ${message}; ${shown(attack)}`);
    else {
      ids.push(id);
      counts.faults.push(`INTERNAL (seed ${seed}): ${message}; ${shown(attack)}`);
    }
  }
}

async function unlogged(fleet: TestFleet, _counts: GrpcCounts): Promise<string[]> {
  const log = await readFile(fleet.serverLog, 'utf8');
  return ids
    .splice(0)
    .filter((id) => !log.includes(id))
    .map((id) => `the log has nothing of ${id}`);
}

function shown(attack: Attack): string {
  return JSON.stringify(attack, (_key, value: unknown) =>
    typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
      ? Buffer.from(value.data as number[])
          .toString('hex')
          .slice(0, 400)
      : value,
  ).slice(0, 1_500);
}

async function requested(fleet: TestFleet, host: string): Promise<string> {
  const { status, body } = await fleet.api('POST', '/api/v1/actions', {
    host,
    verb: 'unload',
    kmod: 'floppy',
    expiresIn: 86_400,
    reason: 'waits for its own host',
  });
  if (status !== 202) throw new Error(`action: ${status} ${JSON.stringify(body)}`);
  return String(body['id']);
}

async function hostCount(fleet: TestFleet): Promise<number> {
  const { body } = await fleet.api('GET', '/api/v1/hosts?limit=1000');
  return (body['items'] as unknown[]).length;
}

/** What the server has of hosts; times at which the question was asked are left out. */
async function rowsOf(fleet: TestFleet, hosts: readonly string[]): Promise<unknown> {
  const of = async (path: string): Promise<unknown> => {
    const { body } = await fleet.api('GET', `/api/v1${path}`);
    return JSON.parse(
      JSON.stringify(body, (key, value: unknown) => (['asOf', 'coverage', 'ageMs'].includes(key) ? null : value)),
    ) as unknown;
  };
  return Promise.all(
    hosts.flatMap((id) => [`/hosts/${id}`, `/hosts/${id}/kmods`, `/hosts/${id}/events`, `/actions?host=${id}`].map(of)),
  );
}

function difference(before: unknown, after: unknown): string {
  const left = JSON.stringify(before);
  const right = JSON.stringify(after);
  let at = 0;
  while (at < left.length && left[at] === right[at]) at += 1;
  return `…${left.slice(Math.max(0, at - 80), at + 120)} became …${right.slice(Math.max(0, at - 80), at + 120)}`;
}
