import { evidenceOracle } from '../oracle/evidence-oracle.ts';
import { LOAD_CONDITIONS, loadOracle } from '../oracle/load-oracle.ts';
import { oracleHosts } from '../oracle/oracle-hosts.ts';
import { keepParts, type OraclePart, partText } from '../oracle/report.ts';
import { unloadOracle } from '../oracle/unload-oracle.ts';
import type { Progress } from '../types.ts';
import type { LabCommand } from './parse-arguments.ts';

/** Words for --only that name a half instead of kmods. */
const HALVES = ['unload', 'load', 'evidence'];

/**
 * Holds verdicts against what the kernel really does, prints both, and keeps whole parts in bench/results/oracle.json. Gives the exit code: 0 when
 * everything agrees.
 */
export async function oracle(command: Extract<LabCommand, { command: 'oracle' }>, progress: Progress): Promise<number> {
  const halves = command.only.filter((word) => HALVES.includes(word));
  const kmods = command.only.filter((word) => !HALVES.includes(word));
  const only = kmods.length === 0 ? undefined : kmods;
  const ofSample = command.sample === 1 ? '' : `, one kmod in ${command.sample}`;
  const parts: OraclePart[] = [];
  const done = async (part: OraclePart): Promise<void> => {
    parts.push(part);
    process.stdout.write(`${partText(part)}\n\n`);
    // Part by part, so that an interrupted run of an hour keeps what it has. A few kmods are no part.
    if (only === undefined) progress(`kept in ${await keepParts([part])}`);
  };
  if (halves.length === 0 || halves.includes('unload')) {
    for (const host of oracleHosts({ kinds: command.kinds, series: command.series, network: command.network }))
      await done({
        name: `unload, ${host.label}${ofSample}`,
        judged: await unloadOracle(host, only, command.sample, progress),
      });
  }
  if (halves.length === 0 || halves.includes('load')) {
    for (const series of command.series) {
      for (const [condition, judged] of await loadOracle(series, LOAD_CONDITIONS, only, progress))
        await done({ name: `load, ${series}, ${condition}`, judged });
    }
  }
  if (halves.length === 0 || halves.includes('evidence')) {
    for (const host of oracleHosts({ kinds: ['full'], series: command.series, network: command.network ?? 'networkd' }))
      await done({ name: `evidence, ${host.label}`, judged: await evidenceOracle(host, progress) });
  }
  const disagreeing = parts.flatMap((part) => part.judged).filter((one) => !one.agrees).length;
  const total = parts.flatMap((part) => part.judged).length;
  process.stdout.write(`${total - disagreeing} of ${total} predictions agree\n`);
  return disagreeing === 0 && total > 0 ? 0 : 1;
}
