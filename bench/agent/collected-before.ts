import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KernelSeries } from '../../lab/src/lab.ts';
import { folderContents } from '../../lab/src/image/content-key.ts';
import { labKernel } from '../../lab/src/image/kernel.ts';
import { labPaths } from '../../lab/src/lab-paths.ts';
import { startAgent } from '../../tests/e2e/support/agents.ts';
import type { TestFleet } from '../../tests/e2e/support/fleet.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';

const LIMIT_MS = 180_000;

/**
 * Has another host of the fleet bring `available` of a lab kernel first, as in any fleet of more than one: an agent on this machine that looks at a
 * copy of the kernel's folder. An emulated host would need five to ten minutes for it.
 */
export async function collectedBefore(fleet: TestFleet, series: KernelSeries): Promise<void> {
  const kernel = await labKernel(series, await folderContents(labPaths.kmodSources), () => undefined);
  const root = mkdtempSync(join(tmpdir(), 'modfleet-bench-root-'));
  try {
    mkdirSync(join(root, 'proc/sys/kernel'), { recursive: true });
    writeFileSync(join(root, 'proc/sys/kernel/osrelease'), `${kernel.release}\n`);
    writeFileSync(join(root, 'proc/modules'), '');
    cpSync(join(kernel.modulesRoot, 'lib/modules'), join(root, 'lib/modules'), {
      recursive: true,
      preserveTimestamps: true,
    });
    const { hostId, process } = await startAgent(fleet, 'collector', { root });
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
  } finally {
    rmSync(root, { recursive: true });
  }
}
