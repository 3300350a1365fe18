import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type MeasuredWhere, measuredWhere, resultFile, writeResult } from '../scripts/lib/measured.ts';
import { ScriptError } from '../scripts/lib/program.ts';
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
      role: { type: 'string', multiple: true },
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
  const done: (CampaignCounts & { readonly holds: boolean })[] = [];
  let logged: string[] = [];
  try {
    const door = new AdminDoor(fleet);
    const planted = new Planted(fleet, door);
    await planted.plant();
    const roles = await rolesOf(fleet, door, planted);
    const wanted = values.role;
    const unknown = wanted?.find((name) => !roles.some((role) => role.name === name));
    if (unknown !== undefined)
      throw new ScriptError(`no role is called "${unknown}"; there are: ${roles.map(({ name }) => name).join('; ')}.`);
    for (const role of roles.filter(({ name }) => wanted === undefined || wanted.includes(name))) {
      const began = performance.now();
      const counts = await fuzzHttp({ fleet, planted, role, calls, seed, onChunk: showProgress });
      const holds = counts.faults.length === 0 && counts.calls >= calls && memoryHolds(counts.memory);
      done.push({ ...counts, holds });
      // What was found so far stays when the rest is given up, and when only some roles are run.
      keepRole({ ...counts, holds, seed, wanted: calls, ...where });
      show(counts, performance.now() - began);
    }
    logged = await faultsInLog(fleet.serverLog);
  } finally {
    await fleet.stop();
  }
  for (const line of logged.slice(0, 5)) console.log(`the log has a fault: ${line.slice(0, 800)}`);
  const good = done.length > 0 && logged.length === 0 && done.every(({ holds }) => holds);
  console.log(
    `${done.length} roles, ${good ? 'everything holds' : 'not everything holds'}; ${resultFile('proof-fuzz-http')}`,
  );
  return good ? 0 : 1;
}

type RoleResult = CampaignCounts &
  MeasuredWhere & { readonly holds: boolean; readonly seed: number; readonly wanted: number };

/** Puts a role's result in the place of its former one. */
function keepRole(result: RoleResult): void {
  const file = resultFile('proof-fuzz-http');
  const former = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { roles: RoleResult[] }).roles : [];
  const roles = [...former.filter(({ role }) => role !== result.role), result];
  writeResult('proof-fuzz-http', { roles, holds: roles.every(({ holds }) => holds) });
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
