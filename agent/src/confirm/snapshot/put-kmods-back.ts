import { KmodState } from '@modfleet/proto';
import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import type { HostWrites } from '../../host/host-writes.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import type { KmodRecord } from './host-snapshot.ts';
import { type Lack, lackName } from './lack.ts';
import { readKmods } from './read-kmods.ts';

/** As for a step of an action (actions/steps). */
const UNLOAD_LIMIT_MS = 20_000;
const LOAD_LIMIT_MS = 65_000;

/** Values that modprobe passes on unchanged: no white space and quotes; "(null)" and empty ones were never given. */
const GIVABLE = /^[A-Za-z0-9_.,:/+-]{1,128}$/;

/** More than these are not given at once (exec/vectors.ts). */
const GIVEN_AT_ONCE = 64;

/** Each is an unload and a load of a driver that the host may need: more are reported and not tried. */
const TRIED_SINGLY = 8;

type Parameters = KmodRecord['parameters'];

interface KmodPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
  /** Undefined: a value comes back with a load only. */
  readonly writes?: Pick<HostWrites, 'setParameter'> | undefined;
}

/**
 * Unloads what the plan loaded (newest first), loads what it unloaded (oldest first, with the parameters recorded), and gives
 * back the values of what has other ones now: at run time where that is possible, else by loading it anew with all that are recorded. What is half way is left alone. What happened is judged by /proc/modules. Returns what was put back,
 * by name.
 */
export async function putKmodsBack(
  ports: KmodPorts,
  before: readonly KmodRecord[],
  lacks: readonly Lack[],
): Promise<string[]> {
  const done: string[] = [];
  for (const lack of [...lacks].reverse()) {
    if (lack.kind !== 'extra_kmod' || lack.halfway !== undefined) continue;
    if (await unload(ports, lack.name)) done.push(lackName(lack));
  }
  for (const lack of lacks) {
    if (lack.kind !== 'kmod' || lack.halfway !== undefined) continue;
    if (await load(ports, lack.kmod)) done.push(lackName(lack));
  }
  for (const kmod of before) {
    const changed = lacks.filter((lack) => lack.kind === 'parameter').filter((lack) => lack.kmod === kmod.name);
    if (changed.length === 0) continue;
    if ((await writeBack(ports, kmod, changed)) || (kmod.loaded && (await loadWithFormer(ports, kmod))))
      done.push(...changed.map(lackName));
  }
  return done;
}

/** At run time, where all of them take it: the kmod stays, and all that hangs on it. */
async function writeBack(
  { files, writes }: KmodPorts,
  { name, parameters }: KmodRecord,
  changed: readonly Extract<Lack, { kind: 'parameter' }>[],
): Promise<boolean> {
  if (writes === undefined) return false;
  for (const { name: parameter, was } of changed) await writes.setParameter(name, parameter, was);
  const [is] = await readKmods(files, [name]);
  const now = new Map(is?.parameters ?? []);
  return parameters.every(([parameter, value]) => (now.get(parameter) ?? value) === value);
}

async function loadWithFormer(ports: KmodPorts, kmod: KmodRecord): Promise<boolean> {
  return (await unload(ports, kmod.name)) && load(ports, kmod);
}

/**
 * With all recorded values first. A value that the kmod shows and does not take refuses them all, and a driver with its usual ones is better than
 * none; what it has then says which values it needs, and those are given without the ones that it refuses.
 */
async function load(ports: KmodPorts, { name, parameters }: KmodRecord): Promise<boolean> {
  const given = parameters.filter(([, value]) => GIVABLE.test(value));
  if (given.length <= GIVEN_AT_ONCE && (await loadWith(ports, name, given))) return true;
  // One that is still loading takes no other values.
  if (given.length === 0 || (await stateOf(ports, name)) !== 'gone') return isLive(ports, name);
  if (!(await loadWith(ports, name, []))) return false;
  const needed = await unlike(ports, name, given);
  return needed.length === 0 || needed.length > TRIED_SINGLY || loadAnew(ports, name, needed);
}

/** With as many of these as it takes: all of them, or else each that it takes together with those before. */
async function loadAnew(ports: KmodPorts, name: string, needed: Parameters): Promise<boolean> {
  const taken: Parameters = [];
  for (const more of [needed, ...needed.map((one) => [one])]) {
    if (!(await unload(ports, name))) return isLive(ports, name);
    if (!(await loadWith(ports, name, [...taken, ...more]))) continue;
    taken.push(...more);
    if (more.length === needed.length) return true;
  }
  return (await isLive(ports, name)) || loadWith(ports, name, taken);
}

async function loadWith(ports: KmodPorts, name: string, parameters: Parameters): Promise<boolean> {
  const given = parameters.map(([key, value]) => `${key}=${value}`);
  await ports.exec.run('modprobe', ['--', name, ...given], { timeoutMs: LOAD_LIMIT_MS });
  return isLive(ports, name);
}

/** Those that have another value now. */
async function unlike({ files }: KmodPorts, name: string, wanted: Parameters): Promise<Parameters> {
  const [kmod] = await readKmods(files, [name]);
  const now = new Map(kmod?.parameters ?? []);
  return wanted.filter(([key, value]) => now.get(key) !== value);
}

/** True when it is gone, not when it is going. */
async function unload(ports: KmodPorts, name: string): Promise<boolean> {
  if ((await stateOf(ports, name)) === 'gone') return true;
  await ports.exec.run('rmmod', [name], { timeoutMs: UNLOAD_LIMIT_MS });
  return (await stateOf(ports, name)) === 'gone';
}

async function isLive(ports: KmodPorts, name: string): Promise<boolean> {
  return (await stateOf(ports, name)) === KmodState.KMOD_STATE_LIVE;
}

/** Undefined: not known. */
async function stateOf({ files }: KmodPorts, name: string): Promise<KmodState | 'gone' | undefined> {
  const listed = valueOf(await readProcModules(files));
  return listed === undefined ? undefined : (listed.find((one) => one.name === name)?.state ?? 'gone');
}
