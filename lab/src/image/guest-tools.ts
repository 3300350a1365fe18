import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import { buildTool } from './build-tool.ts';

/** Installs what both kinds of host have: Node.js, and the harness's own door and scripts, with a busybox to run them. */
export async function installGuestTools(root: string): Promise<void> {
  const tools = join(root, 'usr/lib/modfleet-lab');
  await mkdir(tools, { recursive: true });
  await cp(join(root, 'usr/bin/busybox'), join(tools, 'busybox'));
  await buildTool(join(labPaths.guestFiles, 'control.c'), join(tools, 'control'));
  for (const name of ['agent-service', 'power']) await cp(join(labPaths.guestFiles, name), join(tools, name));
  await cp(labPaths.nodeBinary, join(root, 'usr/bin/node'));
}
