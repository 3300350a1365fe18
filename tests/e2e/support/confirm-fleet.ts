import { freePort } from '../../../scripts/lib/embedded-postgres.mjs';
import type { HostNetwork } from '../../../lab/src/lab.ts';
import { LabFleet } from './lab-fleet.ts';
import { LossyProxy } from './lossy-proxy.ts';

/** Hosts of some network kinds, and a proxy before the session listener: hosts reach 127.0.0.1, the server listens beside it. */
export async function confirmFleet(
  networks: readonly HostNetwork[],
): Promise<{ lab: LabFleet; proxy: LossyProxy; hosts: readonly string[]; stop: () => Promise<void> }> {
  const port = await freePort();
  const proxy = await LossyProxy.listen('127.0.0.1', { host: '127.0.0.2', port });
  const hosts = networks.map((network) => `confirm-${network}`);
  try {
    const lab = await LabFleet.start(
      networks.map((network) => ({ name: `confirm-${network}`, kind: 'full', series: '6.1', boot: { network } })),
      { MODFLEET_SESSION_LISTEN: `127.0.0.2:${port}` },
    );
    const stop = async (): Promise<void> => {
      await lab.stop();
      proxy.close();
    };
    return { lab, proxy, hosts, stop };
  } catch (error) {
    proxy.close();
    throw error;
  }
}
