import type { LabFleet } from '../../tests/e2e/support/lab-fleet.ts';
import { eventually } from '../../tests/e2e/support/wait.ts';
import { type Figure, figure } from '../figures.ts';

const ROUNDS = 5;
const QUEUED = 12;
const REACH_MS = 1_000;

/**
 * From the answer to a freeze to the last dispatch after it. Each round fills the hosts' queues with dry runs, freezes once the first of
 * them is on its way, and looks at every timeline after the thaw: what was dispatched between the freeze and the thaw counts.
 */
export async function measureFreeze(lab: LabFleet, hosts: readonly string[]): Promise<Figure> {
  let longest = 0;
  let heldBack = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const ids = await Promise.all(
      Array.from({ length: QUEUED }, (_, index) =>
        lab.post(hosts[index % hosts.length] ?? '', 'load', 'mf_hello', { dryRun: true, expiresIn: 600 }),
      ),
    );
    await eventually('one is dispatched', async () => (await dispatches(lab, ids)).length > 0 || undefined);
    const freeze = await lab.fleet.api('POST', '/api/v1/freeze', { reason: 'measuring' });
    if (freeze.status >= 300) throw new Error(`freeze: ${freeze.status} ${JSON.stringify(freeze.body)}`);
    const frozenAt = Date.now();
    // Twice the reach: what comes after it would come at the thaw at the latest.
    await eventually('the reach is over', () => Date.now() > frozenAt + 2 * REACH_MS || undefined);
    const during = (await dispatches(lab, ids)).filter((at) => at > frozenAt);
    longest = Math.max(longest, ...during.map((at) => at - frozenAt));
    heldBack += ids.length - (await dispatches(lab, ids)).length;
    await lab.fleet.api('POST', '/api/v1/thaw', {});
    for (const id of ids) await lab.ended(id);
  }
  if (heldBack === 0) throw new Error('no action was left to hold back: the freeze was not measured');
  const note = `${ROUNDS} freezes, ${heldBack} actions held back; 0: none after the answer`;
  return figure('freeze to last dispatch: longest', longest, 'ms', REACH_MS, note);
}

/** When each of the actions that left the queue did, by the server's clock (this machine's). */
async function dispatches(lab: LabFleet, ids: readonly string[]): Promise<number[]> {
  const actions = await Promise.all(ids.map((id) => lab.fleet.api('GET', `/api/v1/actions/${id}`)));
  return actions.flatMap(({ body }) =>
    (body['timeline'] as readonly { at: string; state: string }[])
      .filter(({ state }) => state === 'dispatched')
      .map(({ at }) => Date.parse(at)),
  );
}
