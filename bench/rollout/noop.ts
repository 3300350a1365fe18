import { type Figure, figure } from '../figures.ts';
import { delayFigures } from '../fleet/delay-figures.ts';
import { costs, type RolloutApi, UNCHANGED } from './rollout-api.ts';

const REACH_SECONDS = 10;
const LOOK_MS = 100;

/** One wave of all hosts, without a limit of concurrency, of something that every host has already: what is measured is the way there and back. */
export async function measureNoop(api: RolloutApi): Promise<Figure[]> {
  const { hosts } = api.fleet;
  const plan = await api.plan(UNCHANGED);
  await api.fleet.calm();
  const spent = await api.spent(async () => {
    const asked = Date.now();
    const rollout = await api.post('/rollouts', { plan: plan['id'], concurrency: 'unlimited', bake: 0 });
    const id = String(rollout['id']);
    await api.untilRows(
      `SELECT count(*) = $2 AS so FROM action WHERE rollout_id = $1 AND state = 'ended'`,
      [id, hosts],
      LOOK_MS,
    );
    return { id, asked };
  });
  const { id, asked } = spent.result;
  const [last] = await api.rows<{ ms: number; first: number }>(
    `SELECT extract(epoch FROM max(ended_at))::float8 * 1000 - $2::float8 AS ms,
            extract(epoch FROM min(dispatched_at))::float8 * 1000 - $2::float8 AS first FROM action WHERE rollout_id = $1`,
    [id, asked],
  );
  const done = await api.standing(id);
  const outcomes = (done['counts'] as { ended: Record<string, number> }).ended;
  const seconds = (last?.ms ?? Infinity) / 1_000;
  const note = `${costs(spent, hosts)}; the first was sent after ${((last?.first ?? 0) / 1_000).toFixed(2)} s`;
  return [
    figure(`rollout to ${hosts} hosts: from POST to the last durable result`, seconds, 's', REACH_SECONDS, note),
    figure(
      'hosts whose outcome is not unchanged',
      hosts - (outcomes['unchanged'] ?? 0),
      '',
      0,
      `${String(done['state'])}: ${JSON.stringify(outcomes)}`,
      0,
    ),
    ...delayFigures('rollout', spent.delays),
  ];
}
