import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CampaignCounts, fuzzHttp } from '../../fuzz/http/campaign.ts';
import { Planted } from '../../fuzz/http/planted.ts';
import { type FuzzRole, rolesOf } from '../../fuzz/http/roles.ts';
import { AdminDoor } from '../../fuzz/support/admin-door.ts';
import { FUZZ_SETTINGS, memoryHolds } from '../../fuzz/support/limits.ts';
import { faultsInLog } from '../../fuzz/support/server-log.ts';
import { TestFleet } from '../support/fleet.ts';

/** A few of the calls that `npm run proof -- fuzz-http` makes by the ten thousand; the same ones each time, so that a test that fails here failed for what was changed. */
const seed = Number(process.env['MODFLEET_SEED'] ?? 1);
const calls = Number(process.env['MODFLEET_RUNS'] ?? 120);

let fleet: TestFleet;
let planted: Planted;
let roles: FuzzRole[];

beforeAll(async () => {
  fleet = await TestFleet.start(FUZZ_SETTINGS);
  const door = new AdminDoor(fleet);
  planted = new Planted(fleet, door);
  await planted.plant();
  roles = await rolesOf(fleet, door, planted);
});
afterAll(async () => {
  await fleet?.stop();
});

it('answers every role as documented, tells nobody what is not theirs, and stays up, whatever it is sent', async () => {
  console.info(`calls to the HTTP API, seed ${seed}; the same again: MODFLEET_SEED=${seed} MODFLEET_RUNS=${calls}`);
  const done: CampaignCounts[] = [];
  for (const role of roles) done.push(await fuzzHttp({ fleet, planted, role, calls, seed }));
  for (const { role, faults, memory, calls: made } of done) {
    expect(faults, role).toEqual([]);
    expect(made, role).toBeGreaterThanOrEqual(calls);
    expect(memoryHolds(memory), `${role}: ${JSON.stringify(memory)}`).toBe(true);
  }
  // A role that only ever sees refusals proves nothing.
  const admin = done.find(({ role }) => role === 'admin');
  expect(Object.keys(admin?.successes ?? {}).length).toBeGreaterThan(5);
  expect(await faultsInLog(fleet.serverLog)).toEqual([]);
}, 900_000);
