import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { TestFleet } from '../tests/e2e/support/fleet.ts';
import { fuzzGrpc } from '../tests/fuzz/grpc/campaign.ts';
import { FUZZ_SETTINGS, memoryHolds } from '../tests/fuzz/support/limits.ts';
import { faultsInLog } from '../tests/fuzz/support/server-log.ts';
import { whole } from './whole.ts';

/** What a Node.js that runs out of memory prints has as many. */
const LOG_LINES = 40;

/** `npm run proof -- fuzz-grpc`: the full count of what tests/e2e/local/fuzz-grpc.e2e.ts does a few hundred times. */
export async function proveFuzzGrpc(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      attacks: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(randomInt(2 ** 30)) },
    },
  });
  const attacks = whole('--attacks', values.attacks);
  const seed = whole('--seed', values.seed);
  const where = await measuredWhere();
  console.log(
    `seed ${seed}, ${attacks} attacks; the same again: npm run proof -- fuzz-grpc --seed ${seed} --attacks ${attacks}`,
  );
  const fleet = await TestFleet.start(FUZZ_SETTINGS);
  try {
    const counts = await fuzzGrpc({
      fleet,
      attacks,
      seed,
      onChunk: (so) => {
        if (so.attacks % 1_200 === 0)
          console.log(`${so.attacks} attacks, ${so.faults.length} faults; memory ${so.memory.last} MiB`);
      },
    }).catch((error: unknown) => {
      // A server that died says why at the end of its log, which goes with the fleet.
      const end = readFileSync(fleet.serverLog, 'utf8').trimEnd().split('\n').slice(-LOG_LINES);
      console.log(`the end of the server's log:\n${end.map((line) => line.slice(0, 400)).join('\n')}`);
      throw error;
    });
    const logged = await faultsInLog(fleet.serverLog);
    const good =
      counts.faults.length === 0 && logged.length === 0 && counts.attacks >= attacks && memoryHolds(counts.memory);
    const file = writeResult('proof-fuzz-grpc', {
      ...where,
      seed,
      wanted: attacks,
      ...counts,
      faultsInLog: logged.slice(0, 20),
      holds: good,
    });
    for (const fault of counts.faults) console.log(`FAULT ${fault}`);
    for (const line of logged.slice(0, 5)) console.log(`the log has a fault: ${line.slice(0, 800)}`);
    console.log(
      JSON.stringify({ kinds: counts.kinds, ends: counts.ends, heartbeats: counts.heartbeats, memory: counts.memory }),
    );
    console.log(`${counts.attacks} attacks, ${good ? 'everything holds' : 'not everything holds'}; ${file}`);
    return good ? 0 : 1;
  } finally {
    await fleet.stop();
  }
}
