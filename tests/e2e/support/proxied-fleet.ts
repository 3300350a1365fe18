import { freePort } from '../../../scripts/lib/embedded-postgres.mjs';
import { LabFleet, type LabHostWanted } from './lab-fleet.ts';
import { LossyProxy } from './lossy-proxy.ts';

/** Real hosts, and a proxy before their session listener. */
export interface ProxiedFleet {
  readonly lab: LabFleet;
  readonly proxy: LossyProxy;
  readonly stop: () => Promise<void>;
}

/** Hosts reach the proxy on 127.0.0.1; the server listens beside it. */
export async function proxiedFleet(wanted: readonly LabHostWanted[]): Promise<ProxiedFleet> {
  const port = await freePort();
  const proxy = await LossyProxy.listen('127.0.0.1', { host: '127.0.0.2', port });
  try {
    const lab = await LabFleet.start(wanted, { MODFLEET_SESSION_LISTEN: `127.0.0.2:${port}` });
    const stop = async (): Promise<void> => {
      await lab.stop();
      proxy.close();
    };
    return { lab, proxy, stop };
  } catch (error) {
    proxy.close();
    throw error;
  }
}
