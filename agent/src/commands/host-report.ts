import { Facet } from '@modfleet/proto';
import { AvailableObserver, collectHere, type AvailableLook } from '../facets/available.ts';
import { observeConfig } from '../facets/config.ts';
import { observeDevices } from '../facets/devices.ts';
import { LoadedObserver } from '../facets/loaded.ts';
import type { Observation } from '../facets/observation.ts';
import { ParametersObserver } from '../facets/parameters.ts';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf } from '../host/read-outcome.ts';
import { readKernelRelease } from '../kmod/modules-dir.ts';
import type { ProcModule } from '../kmod/proc-modules.ts';

/** One look at everything, for a person. */
export interface HostReport {
  readonly hostname: string | undefined;
  readonly os: string | undefined;
  readonly kernelRelease: string | undefined;
  /** As /proc/modules has them; empty when `loaded` is incapable. */
  readonly procModules: readonly ProcModule[];
  readonly loaded: Observation<Facet.FACET_LOADED>;
  readonly parameters: Observation<Facet.FACET_PARAMETERS>;
  readonly available: AvailableLook;
  readonly devices: Observation<Facet.FACET_DEVICES>;
  readonly config: Observation<Facet.FACET_CONFIG>;
}

/** Observes every facet once. The content of `available` is collected only when its `bytes` are asked for. */
export async function observeHost(files: HostFiles): Promise<HostReport> {
  const look = await new LoadedObserver(files).look();
  const names = look.kmods.map((kmod) => kmod.name);
  return {
    hostname: valueOf(await files.readText('/proc/sys/kernel/hostname'))?.trim(),
    os: /^PRETTY_NAME="?([^"\n]*)/m.exec(valueOf(await files.readText('/etc/os-release')) ?? '')?.[1],
    kernelRelease: valueOf(await readKernelRelease(files)),
    procModules: look.kmods,
    loaded: look.observation,
    parameters:
      look.observation.kind === 'incapable' ? look.observation : await new ParametersObserver(files).look(names),
    available: await new AvailableObserver(files, collectHere(files)).look(),
    devices: await observeDevices(files),
    config: await observeConfig(files),
  };
}
