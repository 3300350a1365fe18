import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { measuredWhere, writeResult } from '../scripts/lib/measured.ts';
import { TestFleet } from '../tests/e2e/support/fleet.ts';
import { type CampaignCounts, fuzzHttp } from '../tests/fuzz/http/campaign.ts';
import { Planted } from '../tests/fuzz/http/planted.ts';
import { rolesOf } from '../tests/fuzz/http/roles.ts';
import { AdminDoor } from '../tests/fuzz/support/admin-door.ts';
import { FUZZ_SETTINGS, memoryHolds } from '../tests/fuzz/support/limits.ts';
import { faultsInLog } from '../tests/fuzz/support/server-log.ts';
import { whole } from './whole.ts';

/** `npm run proof -- fuzz-http`: the full count of what tests/e2e/local/fuzz-http.e2e.ts does a few hundred times. */
export async function proveFuzzHttp(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      calls: { type: 'string', default: '10000' },
      role: { type: 'string' },
      seed: { type: 'string', default: String(randomInt(2 ** 30)) },
    },
  });
  const calls = whole('--calls', values.calls);
  const seed = whole('--seed', values.seed);
  const where = await measuredWhere();
  console.log(
    `seed ${seed}, ${calls} calls a role; the same again: npm run proof -- fuzz-http --seed ${seed} --calls ${calls}`,
  );
  const fleet = await TestFleet.start(FUZZ_SETTINGS);
  const done: CampaignCounts[] = [];
  let logged: string[] = [];
  try {
    const door = new AdminDoor(fleet);
    const planted = new Planted(fleet, door);
    await planted.plant();
    const roles = await rolesOf(fleet, door, planted);
    for (const role of roles.filter(({ name }) => values.role === undefined || name === values.role)) {
      const began = performance.now();
      const counts = await fuzzHttp({ fleet, planted, role, calls, seed, onChunk: showProgress });
      done.push(counts);
      // What was found so far stays when the rest is given up.
      writeResult('proof-fuzz-http', { ...where, seed, wanted: calls, roles: done, holds: null });
      show(counts, performance.now() - began);
    }
    logged = await faultsInLog(fleet.serverLog);
  } finally {
    await fleet.stop();
  }
  for (const line of logged.slice(0, 5)) console.log(`the log has a fault: ${line.slice(0, 800)}`);
  const good =
    done.length > 0 &&
    logged.length === 0 &&
    done.every((one) => one.faults.length === 0 && one.calls >= calls && memoryHolds(one.memory));
  const file = writeResult('proof-fuzz-http', {
    ...where,
    seed,
    wanted: calls,
    roles: done,
    faultsInLog: logged.slice(0, 20),
    holds: good,
  });
  console.log(`${done.length} roles, ${good ? 'everything holds' : 'not everything holds'}; ${file}`);
  return good ? 0 : 1;
}

/** A line every thousand calls: a role takes minutes. */
function showProgress({ role, calls, faults }: CampaignCounts): void {
  if (calls % 1_000 === 0) console.log(`${role}: ${calls} calls, ${faults.length} faults`);
}

function show({ role, calls, statuses, faults, memory, successes }: CampaignCounts, ms: number): void {
  const words = Object.entries(statuses)
    .map(([status, times]) => `${status} ${times}`)
    .join(', ');
  const reached = Object.keys(successes).length;
  console.log(
    `${role.padEnd(28)} ${calls} calls in ${Math.round(ms / 1000)} s: ${words}; ${reached} operations reached; memory ${memory.last} MiB, at most ${memory.peak}`,
  );
  const first = new Map(faults.map((fault) => [fault.what, fault]));
  for (const { what, kind, request, answer } of first.values())
    console.log(`  FAULT (${kind}) ${what}\n    ${request.replaceAll('\n', '\n    ')}\n    -> ${answer.slice(0, 600)}`);
}
