import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { bootHost } from '../host/boot-host.ts';
import { isAlive, listRecords, removeDead } from '../host/run-folder.ts';
import type { LabHost } from '../host/lab-host.ts';
import type { KernelSeries, Progress } from '../types.ts';
import type { LabCommand } from './parse-arguments.ts';

/** lab-1, lab-2, …: the first `count` names that no running host has. */
export function freeNames(count: number, taken: ReadonlySet<string>): string[] {
  const names: string[] = [];
  for (let number = 1; names.length < count; number += 1) {
    const name = `lab-${number}`;
    if (!taken.has(name)) names.push(name);
  }
  return names;
}

/** Boots hosts on alternating series and keeps them until a signal; then ends them all. */
export async function boot(command: Extract<LabCommand, { command: 'boot' }>, progress: Progress): Promise<void> {
  await removeDead();
  const taken = new Set((await listRecords()).filter(isAlive).map((record) => record.name));
  const agentConfig = command.config === undefined ? undefined : await readFile(command.config, 'utf8');
  const joinString = command.joinFile === undefined ? undefined : await readFile(command.joinFile, 'utf8');
  const stop = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const hosts: LabHost[] = [];
  try {
    // One after the other: two at once on two cores are not ready sooner, and the first build is done once.
    for (const [index, name] of freeNames(command.count, taken).entries()) {
      const series = command.series[index % command.series.length] as KernelSeries;
      const started = performance.now();
      const host = await bootHost({
        kind: command.kind,
        series,
        name,
        progress,
        network: command.network,
        rootDisk: command.rootDisk,
        packages: command.packages,
        ...(agentConfig === undefined ? { agent: false } : { agentConfig }),
        ...(joinString === undefined ? {} : { joinString }),
      });
      hosts.push(host);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      progress(
        `${name}: ${host.kernelRelease} (${host.kind}) takes commands after ${seconds} s; console: ${host.consoleLog}`,
      );
    }
    progress(
      `npm run lab -- shell ${hosts[0]?.name ?? ''}   for a root shell. Ctrl-C ends ${hosts.length === 1 ? 'it' : 'them all'}.`,
    );
    await stop;
  } finally {
    await Promise.all(hosts.map((host) => host.kill()));
    progress(`${hosts.length} lab ${hosts.length === 1 ? 'host' : 'hosts'} ended`);
  }
}
