import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { folderContents } from '../../../lab/src/image/content-key.ts';
import { labKernel } from '../../../lab/src/image/kernel.ts';
import type { KernelSeries } from '../../../lab/src/lab.ts';
import { labPaths } from '../../../lab/src/lab-paths.ts';
import { startAgent } from './agents.ts';
import type { TestFleet } from './fleet.ts';
import { eventually } from './wait.ts';

const LIMIT_MS = 400_000;

/**
 * Has another host of the fleet bring `available` of a lab kernel first, as in any fleet of more than one: an agent on this machine that looks at a
 * copy of the kernel's folder, and leaves the fleet afterwards. An emulated host keeps a core busy for one to ten minutes over it.
 */
export async function collectedBefore(fleet: TestFleet, series: KernelSeries): Promise<void> {
  const kernel = await labKernel(series, await folderContents(labPaths.kmodSources), () => undefined);
  // Goes with the fleet's folder.
  const root = join(fleet.folder, `kernel-${series}`);
  mkdirSync(join(root, 'proc/sys/kernel'), { recursive: true });
  writeFileSync(join(root, 'proc/sys/kernel/osrelease'), `${kernel.release}\n`);
  writeFileSync(join(root, 'proc/modules'), '');
  cpSync(join(kernel.modulesRoot, 'lib/modules'), join(root, 'lib/modules'), {
    recursive: true,
    preserveTimestamps: true,
  });
  const { hostId, process } = await startAgent(fleet, `collector-${series}`, { root });
  await eventually(
    'available is stored',
    async () => {
      const { coverage } = (await fleet.api('GET', `/api/v1/hosts/${hostId}`)).body as {
        coverage?: Record<string, string>;
      };
      return coverage?.['available'] === 'fresh' || undefined;
    },
    LIMIT_MS,
  );
  await process.end();
  const retired = await fleet.modfleet('hosts', 'retire', hostId, '--yes');
  if (retired.code !== 0) throw new Error(`the collector does not retire: ${retired.stderr}`);
}
