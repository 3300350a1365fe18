import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pointRounds } from '../support/kill-points.ts';
import { KILL_CASES, killRounds } from '../support/kill-rounds.ts';
import { LabFleet } from '../support/lab-fleet.ts';

/** Few rounds of what `npm run proof -- kills` does two hundred times. */
let lab: LabFleet;
const NAME = 'kills-61';

beforeAll(async () => {
  lab = await LabFleet.start([{ name: NAME, kind: 'fast', series: '6.1' }]);
}, 600_000);

afterAll(async () => {
  await lab?.stop();
}, 60_000);

it('keeps the truth when agent or server is killed at random moments of a load, unload or reload', async () => {
  const seed = randomInt(1_000_000);
  const rounds = await killRounds({ lab, host: NAME, seed, rounds: KILL_CASES.length });
  // One round a case keeps CI short; `npm run proof -- kills` does the same a hundred times.
  expect(
    rounds.filter((round) => round.problems.length > 0),
    `seed ${seed}`,
  ).toEqual([]);
}, 1_200_000);

it('keeps the truth when the agent is killed right before or after a record or a step', async () => {
  const seed = randomInt(1_000_000);
  const rounds = await pointRounds({ lab, host: NAME, seed, rounds: 3 });
  expect(
    rounds.filter((round) => round.problems.length > 0),
    `seed ${seed}`,
  ).toEqual([]);
}, 600_000);
