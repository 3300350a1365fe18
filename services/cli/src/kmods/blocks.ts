import type { BlockRungWord, KmodBlock } from '@modfleet/server/api-types';
import { list } from '../output/words.ts';

/** What a rung of the ladder stops, and what it does not (docs/outcomes.md). */
const RUNGS: Readonly<Record<BlockRungWord, string>> = {
  blacklist: 'only its own aliases are ignored; modprobe, dependencies and requests by name still load it',
  install: 'stops modprobe; insmod still loads it',
  install_ineffective: 'blocks nothing: a soft dependency makes modprobe ignore the line',
  alias:
    'modprobe loads nothing or another kmod for that word; other names of it, dependencies and insmod still load it',
  cmdline_blacklist: 'kernel command line: only its own aliases are ignored',
  cmdline_kernel: 'kernel command line: the kernel refuses every loader',
  cmdline_initcall: 'kernel command line: built-in code is not started',
  modules_disabled: 'nothing loads or unloads there until the host reboots',
  initramfs: 'the boot image is older than the block: a copy of the kmod inside it may still load at boot',
};

/** How many hosts a line names before it only counts. */
const NAMED = 3;

interface Blocked {
  readonly host: { readonly name: string };
  readonly blocks: readonly KmodBlock[];
}

/** Every block on the page, equal ones together: where it is written, what it does, on which hosts. */
export function blockLines(rows: readonly Blocked[]): string[] {
  const groups = new Map<string, { block: KmodBlock; hosts: string[] }>();
  for (const row of rows) {
    for (const block of row.blocks) {
      const key = JSON.stringify([block.rung, block.file, block.line]);
      const group = groups.get(key) ?? { block, hosts: [] };
      group.hosts.push(row.host.name);
      groups.set(key, group);
    }
  }
  return [...groups.values()].map(
    ({ block, hosts }) =>
      `${block.file}${block.line > 0 ? `:${block.line}` : ''} on ${someHosts(hosts)}: ${RUNGS[block.rung]}`,
  );
}

/** "web-1, web-2 and 5 more". */
export function someHosts(hosts: readonly string[]): string {
  return hosts.length <= NAMED ? list(hosts) : `${hosts.slice(0, NAMED).join(', ')} and ${hosts.length - NAMED} more`;
}
