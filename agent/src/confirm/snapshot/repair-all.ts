import type { Exec } from '../../exec/exec.ts';
import type { HostSettings } from '../../host/host-settings.ts';
import type { Lack } from './lack.ts';
import { IP_TIMEOUT_MS } from './read-snapshot.ts';
import { type Repair, repairsOf } from './repairs.ts';

interface RepairPorts {
  readonly exec: Exec;
  readonly settings: HostSettings;
}

/** Whether anything can be tried. Pure. */
export function isRepairable(lacks: readonly Lack[]): boolean {
  return lacks.some((lack) => repairsOf(lack).length > 0);
}

/** Those of which everything was accepted; whether it helped, the next look says. A link is made anew once: it would come out the same. */
export async function repairAll(ports: RepairPorts, lacks: readonly Lack[], remade: Set<string>): Promise<Lack[]> {
  const done: Lack[] = [];
  const anew = new Set<string>();
  for (const lack of lacks) {
    if (lack.kind === 'replaced') {
      if (remade.has(lack.link.name)) continue;
      remade.add(lack.link.name);
      anew.add(lack.link.name);
    }
    // Its options were given as it was made.
    if (lack.kind === 'option' && anew.has(lack.link.name)) continue;
    if (await repair(ports, repairsOf(lack))) done.push(lack);
  }
  return done;
}

async function repair({ exec, settings }: RepairPorts, repairs: readonly Repair[]): Promise<boolean> {
  const accepted = async (args: readonly string[]): Promise<boolean> => {
    const { ended } = await exec.run('ip', args, { timeoutMs: IP_TIMEOUT_MS });
    return ended.kind === 'exited' && ended.code === 0;
  };
  for (const one of repairs) {
    if (one.kind === 'write') {
      if (!(await settings.write(one.path, one.value))) return false;
      continue;
    }
    if (await accepted(one.args)) continue;
    const [first, ...others] = one.otherwise ?? [];
    if (first === undefined || !(await accepted(first))) return false;
    for (const args of others) await accepted(args);
  }
  return repairs.length > 0;
}
