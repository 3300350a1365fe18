import { afterAll, beforeAll } from 'vitest';
import { HOST_NETWORKS } from '../../../../lab/src/lab.ts';
import { keptSuite, lostSuite } from '../../support/confirm-suite.ts';
import { type ProxiedFleet, proxiedFleet } from '../../support/proxied-fleet.ts';

/** Every case on every kind of network: fifteen rounds, each of which keeps an emulated host busy for half a minute. */
const HOSTS = HOST_NETWORKS.map((network) => ({ name: `confirm-${network}`, network }));
let fleet: ProxiedFleet;

beforeAll(async () => {
  fleet = await proxiedFleet(
    HOSTS.map(({ name, network }) => ({ name, kind: 'full', series: '6.1', boot: { network } })),
  );
});

afterAll(async () => {
  await fleet?.stop();
});

keptSuite(() => fleet, HOSTS[0]?.name ?? '');
lostSuite(
  () => fleet,
  HOSTS.map(({ name }) => name),
);
