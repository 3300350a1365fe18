import { availableParallelism } from 'node:os';
import { makeJoinStrings } from '../../bench/swarm/join-strings.ts';
import { Swarm } from '../../bench/swarm/swarm.ts';
import { type Api, until } from './api.ts';
import { withProgress } from './progress.mjs';
import { retireFormer } from './retire-former.ts';

/** The same hosts at each start. */
const SEED = 1;
/** A life that can be watched: something changes every second, a host goes now and then, a routine in fifty fails. */
const LIFE = { fails: 0.02, hangs: 0, changesPerSecond: 1, vanishPerSecond: 0.05 };
/** A host comes up in some 20 ms; on a machine with other work it takes longer. */
const MS_PER_HOST = 200;
const LEAST_MS = 60_000;

/** Simulated hosts, `settings.swarm` of them, that join this server in mode `act` (bench/swarm). */
export async function startSwarm(
  settings: { readonly swarm: number; readonly identity: string },
  api: Api,
  onStarted: (name: string, stop: () => Promise<void>) => void,
  failures: readonly Promise<string>[],
): Promise<void> {
  const { swarm: hosts, identity } = settings;
  const at = identity.lastIndexOf(':');
  await withProgress(`bringing up ${hosts} simulated hosts`, async () => {
    await retireFormer(api, 'swarm=true', 'npm start makes new simulated hosts');
    const swarm = Swarm.start({
      server: { host: identity.slice(0, at).replace(/^\[|\]$/g, ''), identityPort: Number(identity.slice(at + 1)) },
      joinStrings: await makeJoinStrings(api, hosts, SEED),
      hosts,
      processes: Math.min(availableParallelism(), hosts),
      seed: SEED,
      odds: LIFE,
    });
    onStarted('the simulated hosts', () => swarm.stop());
    await until(
      `${hosts} simulated hosts are connected`,
      LEAST_MS + hosts * MS_PER_HOST,
      () => Promise.resolve(swarm.counts().joined === hosts || undefined),
      failures,
    );
  });
}
