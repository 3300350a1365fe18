import { afterAll, beforeAll, expect, it } from 'vitest';
import { LabFleet } from '../../support/lab-fleet.ts';

/** A full host's second start: its units find what the first left. (A fast host's power cut is in ../faults.e2e.ts.) */
const NAME = 'reboot-612';
let lab: LabFleet;

beforeAll(async () => {
  lab = await LabFleet.start([{ name: NAME, kind: 'full', series: '6.12' }]);
});

afterAll(async () => {
  await lab?.stop();
});

it('comes back after a reboot', async () => {
  const host = lab.host(NAME);
  const { bootId } = host;
  await host.reboot();
  expect(host.bootId).not.toBe(bootId);
  await lab.connected(NAME);
  await lab.fresh(NAME);
  const [done] = await lab.actInTurn(NAME, [{ verb: 'load', kmod: 'mf_hello' }]);
  expect(done?.outcome).toBe('succeeded');
});
