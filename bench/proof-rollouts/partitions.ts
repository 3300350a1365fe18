import { BadLine } from '../../tests/e2e/support/bad-line/bad-line.ts';
import { RolloutCluster } from '../../tests/e2e/support/rollout-cluster.ts';
import { partition, PARTITIONS, QUICK_BEATS } from '../../tests/e2e/support/rollout-partition.ts';
import type { Figure } from '../figures.ts';
import type { ProofAsked } from './asked.ts';
import { told } from './faults.ts';

/** One rollout through each way in which the line between hosts and servers can be bad. */
export async function provePartitions({ hosts, first }: ProofAsked): Promise<Figure[]> {
  const line = await BadLine.open(first);
  const figures: Figure[] = [];
  try {
    const on = await RolloutCluster.across(line, hosts, QUICK_BEATS);
    try {
      for (const [number, [name, what]] of Object.entries(PARTITIONS).entries()) {
        const found = await partition(on, line, number % 2 === 0 ? 'load' : 'unload', what);
        const { toServers, toHosts } = found.packetsLost;
        const lost = `${found.lostSessions} sessions lost, packets ${toServers} to the servers and ${toHosts} to the hosts; over ${(found.healedMs / 1000).toFixed(1)} s later`;
        figures.push(...told(`line ${name}`, found, lost));
      }
    } finally {
      await on.stop();
    }
  } finally {
    await line.close();
  }
  return figures;
}
