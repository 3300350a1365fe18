import { Outcome } from '@modfleet/proto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BusUnderTest } from './buses.ts';
import { type ClusterServer, TestCluster } from './cluster.ts';
import { type Acted, ClusterHosts } from './cluster-hosts.ts';
import { killUnderLoad } from './kill-replica.ts';
import { eventually } from './wait.ts';

const HOSTS = 9;
/** Hosts under load while a server is killed, and how soon they have to be back. */
const SWARM = 90;
const BACK_MS = 60_000;
/** A sweep finds what a wake-up did not tell of every 5 s (action-sweeper.service.ts); then a busy machine. */
const SWEPT_MS = 15_000;
/** Far from the sweep: a wake-up did it. How fast it is: `npm run bench -- replicas`. */
const WOKEN_MS = 2_500;

/** Three servers, over one bus or another: the same is expected of both. */
export function replicaSuite(startBus: () => Promise<BusUnderTest>): void {
  let bus: BusUnderTest;
  let cluster: TestCluster;

  beforeAll(async () => {
    bus = await startBus();
    cluster = await TestCluster.start(3, bus.settings);
  });
  afterAll(async () => {
    await cluster.stop();
    await bus.stop();
  });

  describe('an action for a host that another server holds', () => {
    let hosts: ClusterHosts;
    beforeAll(async () => {
      hosts = await ClusterHosts.start(cluster, HOSTS);
    });
    afterAll(() => hosts.stop());

    async function ended(id: string): Promise<string> {
      return eventually(`action ${id} ends`, async () => {
        const [server] = cluster.servers;
        if (server === undefined) return undefined;
        const { body } = await cluster.api(server, 'GET', `/api/v1/actions/${id}`);
        return body['state'] === 'ended' ? String(body['outcome']) : undefined;
      });
    }

    const names = (): string[] => hosts.hosts.map(({ plan }) => plan.name);
    const once = (ids: readonly string[]): void =>
      expect(ids.map((id) => hosts.arrivals.get(id)?.length)).toEqual(ids.map(() => 1));

    it('is spread over the servers by the balancer, which says where each host really is', async () => {
      expect(await cluster.held()).toEqual([3, 3, 3]);
      const rows = await cluster.rows<{ address: string }>('SELECT address FROM host_session ORDER BY address');
      expect(rows.map(({ address }) => address.replace(/:\d+$/, ''))).toEqual(
        Array.from({ length: HOSTS }, (_, number) => `127.88.0.${number + 1}`),
      );
    });

    it('arrives at once, and once', async () => {
      const acted: Acted[] = [];
      for (const name of names()) acted.push(await hosts.act(name, SWEPT_MS));
      for (const { id, tookMs } of acted) {
        expect(tookMs).toBeLessThan(WOKEN_MS);
        expect(await ended(id)).toBe('succeeded');
      }
      once(acted.map(({ id }) => id));
    });

    it('arrives all the same while the bus is down, by the sweep, and at once when it is back', async () => {
      await bus.down(cluster);
      const readiness = async (server: ClusterServer): Promise<string> => (await fetch(`${server.http}/readyz`)).text();
      for (const server of cluster.servers)
        await eventually('the server says so', async () => (await readiness(server)).includes('"bus"') || undefined);
      const acted: Acted[] = [];
      for (const name of names().slice(0, 3)) acted.push(await hosts.act(name, SWEPT_MS));
      for (const { id } of acted) expect(await ended(id)).toBe('succeeded');
      await bus.up(cluster);
      for (const server of cluster.servers)
        await eventually('the bus is back', async () => !(await readiness(server)).includes('"bus"') || undefined);
      for (const name of names().slice(3)) {
        const woken = await hosts.act(name, SWEPT_MS);
        acted.push(woken);
        expect(woken.tookMs).toBeLessThan(WOKEN_MS);
        expect(await ended(woken.id)).toBe('succeeded');
      }
      once(acted.map(({ id }) => id));
    });
  });

  it('SIGKILL of a server under load: its hosts are on others within 60 s, no action is lost, none done twice; it gets its share when it is back', async () => {
    const { back, ...killed } = await killUnderLoad(cluster, SWARM);
    expect(killed.victimHeld).toBeGreaterThan(SWARM / 5);
    expect(killed.backMs).toBeLessThan(BACK_MS);
    expect(killed.stored).toBe(killed.asked);
    expect(killed.outcomes).toEqual({ [Outcome.OUTCOME_SUCCEEDED]: killed.asked });
    expect(killed.routines).toBe(killed.asked);
    // A request that is said again is answered again, from the journal: more answers, no more routines.
    expect(killed.told).toEqual(['succeeded']);
    expect(back.looks).toBeGreaterThan(20);
    expect(back.gaps).toBe(0);
    // Its share and no more: nobody is sent around.
    expect(back.moved).toBeLessThanOrEqual(Math.ceil(SWARM / 3) + 1);
  }, 600_000);
}
