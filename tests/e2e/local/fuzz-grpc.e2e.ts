import { afterAll, beforeAll, expect, it } from 'vitest';
import { fuzzGrpc } from '../../fuzz/grpc/campaign.ts';
import { FUZZ_SETTINGS, memoryHolds } from '../../fuzz/support/limits.ts';
import { faultsInLog } from '../../fuzz/support/server-log.ts';
import { TestFleet } from '../support/fleet.ts';

/** A few of the attacks that `npm run proof -- fuzz-grpc` makes by the ten thousand; the same ones each time, so that a test that fails here failed for what was changed. */
const seed = Number(process.env['MODFLEET_SEED'] ?? 1);
const attacks = Number(process.env['MODFLEET_RUNS'] ?? 250);

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await TestFleet.start(FUZZ_SETTINGS);
});
afterAll(async () => {
  await fleet?.stop();
});

it('bears broken frames, lies and floods at both listeners; the hosts beside notice nothing', async () => {
  console.info(
    `attacks on the listeners for agents, seed ${seed}; the same again: MODFLEET_SEED=${seed} MODFLEET_RUNS=${attacks}`,
  );
  const counts = await fuzzGrpc({ fleet, attacks, seed });
  expect(counts.faults).toEqual([]);
  expect(counts.attacks).toBeGreaterThanOrEqual(attacks);
  expect(counts.heartbeats.answered).toBeGreaterThan(0);
  expect(Object.keys(counts.kinds).length).toBe(7);
  expect(memoryHolds(counts.memory), JSON.stringify(counts.memory)).toBe(true);
  expect(await faultsInLog(fleet.serverLog)).toEqual([]);
}, 900_000);
