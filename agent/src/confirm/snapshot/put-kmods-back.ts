import type { Exec } from '../../exec/exec.ts';
import type { HostFiles } from '../../host/host-files.ts';
import { valueOf } from '../../host/read-outcome.ts';
import { readProcModules } from '../../kmod/proc-modules.ts';
import type { KmodRecord } from './host-snapshot.ts';
import { type Lack, lackWords } from './lacks.ts';

/** As for a step of an action (actions/steps). */
const UNLOAD_LIMIT_MS = 20_000;
const LOAD_LIMIT_MS = 65_000;

/** Values that modprobe passes on unchanged: no white space and quotes; "(null)" and empty ones were never given. */
const GIVABLE = /^[A-Za-z0-9_.,:/+-]{1,128}$/;

interface KmodPorts {
  readonly files: HostFiles;
  readonly exec: Exec;
}

/**
 * Unloads what the plan loaded (newest first), loads what it unloaded (oldest first, with the parameters recorded), and loads anew what has other
 * parameters now. What happened is judged by /proc/modules. Returns what was put back, in words.
 */
export async function putKmodsBack(ports: KmodPorts, lacks: readonly Lack[]): Promise<string[]> {
  const done: string[] = [];
  for (const lack of [...lacks].reverse()) {
    if (lack.kind === 'extra_kmod' && (await unload(ports, lack.name))) done.push(lackWords(lack));
  }
  for (const lack of lacks) {
    if (lack.kind === 'kmod' && (await load(ports, lack.kmod))) done.push(lackWords(lack));
  }
  const changed = new Map<string, Lack[]>();
  for (const lack of lacks) {
    if (lack.kind === 'parameter') changed.set(lack.kmod, [...(changed.get(lack.kmod) ?? []), lack]);
  }
  for (const [name, ofKmod] of changed) {
    const parameters = ofKmod.flatMap((one): [string, string][] =>
      one.kind === 'parameter' ? [[one.name, one.was]] : [],
    );
    if ((await unload(ports, name)) && (await load(ports, { name, loaded: true, parameters })))
      done.push(...ofKmod.map(lackWords));
  }
  return done;
}

async function load(ports: KmodPorts, { name, parameters }: KmodRecord): Promise<boolean> {
  const given = parameters.filter(([, value]) => GIVABLE.test(value)).map(([key, value]) => `${key}=${value}`);
  await ports.exec.run('modprobe', ['--', name, ...given], { timeoutMs: LOAD_LIMIT_MS });
  if (await isLoaded(ports, name)) return true;
  // A value that the kmod shows and does not take: a driver with its defaults is better than none.
  if (given.length > 0) await ports.exec.run('modprobe', ['--', name], { timeoutMs: LOAD_LIMIT_MS });
  return isLoaded(ports, name);
}

async function unload(ports: KmodPorts, name: string): Promise<boolean> {
  await ports.exec.run('rmmod', [name], { timeoutMs: UNLOAD_LIMIT_MS });
  return !(await isLoaded(ports, name));
}

async function isLoaded({ files }: KmodPorts, name: string): Promise<boolean> {
  return (valueOf(await readProcModules(files)) ?? []).some((one) => one.name === name);
}
