import type { WorkerCounts } from './worker-words.ts';

/** What a swarm of so many hosts has seen, in one line for people. */
export function countsLine(counts: WorkerCounts, hosts: number): string {
  const outcomes = Object.entries(counts.actions).map(([outcome, times]) => `${outcome} ${times}`);
  return [
    ...(counts.booted < hosts ? [`${counts.booted}/${hosts} up`] : []),
    `${counts.live}/${hosts} live`,
    `${counts.joined} joined`,
    ...(counts.joinFailures > 0 ? [`${counts.joinFailures} joins tried again`] : []),
    `${counts.changes} changes`,
    outcomes.length === 0 ? 'no actions' : `actions: ${outcomes.join(', ')}`,
    `${Math.round(counts.rssMb)} MiB`,
  ].join(' · ');
}
