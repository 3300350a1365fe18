import { type Figure, figure } from '../figures.ts';
import { CHANGED, costs, type RolloutApi } from './rollout-api.ts';

const WAVES = ['20%', '40%', '60%', '80%', '100%'];
const FAILS = 0.01;
const BUDGET = '0.5%';
/** OUTCOME_FAILED of the contract. */
const FAILED = 4;
/** Longest that hosts which were under way are waited for. */
const LATER_MS = 60_000;

/** Five waves of hosts of which one in a hundred fails, and a budget for half of that. */
export async function measureBudget(api: RolloutApi): Promise<Figure[]> {
  const { hosts } = api.fleet;
  const plan = await api.plan(CHANGED);
  await api.fleet.calm();
  api.odds({ fails: FAILS });
  const spent = await api.spent(async () => {
    const made = await api.post('/rollouts', {
      plan: plan['id'],
      waves: WAVES,
      bake: 0,
      budget: { whole: { failed: BUDGET } },
    });
    return api.standing(String(made['id']));
  });
  const id = String(spent.result['id']);
  // What was under way ends; nothing else may.
  const settled = await api.until(
    `/rollouts/${id}`,
    ({ counts }) => (counts as { dispatched: number }).dispatched === 0,
    LATER_MS,
  );
  api.odds({});
  const { concurrency } = settled['options'] as { concurrency: number };
  const limit = Math.floor((hosts * Number.parseFloat(BUDGET)) / 100);
  const [after] = await api.rows<{ touched: number; wave: number; late: number }>(
    `WITH exceeds AS (
       SELECT ended_at AS at FROM action WHERE rollout_id = $1 AND outcome = ${FAILED} ORDER BY ended_at OFFSET $2 LIMIT 1)
     SELECT count(*)::int AS touched, max(t.wave)::int AS wave,
            coalesce(extract(epoch FROM max(a.dispatched_at) - max(e.at))::float8 * 1000, 0) AS late
       FROM action a JOIN exceeds e ON a.dispatched_at > e.at JOIN rollout_target t ON t.rollout_id = $1 AND t.host_id = a.host_id
      WHERE a.rollout_id = $1`,
    [id, limit],
  );
  const wave = Number(settled['wave']);
  const counts = settled['counts'] as { pending: number; ended: Record<string, number> };
  const [beyond] = await api.rows<{ hosts: number }>(
    `SELECT count(*)::int AS hosts FROM rollout_target t JOIN action a ON a.id = t.action_id
      WHERE t.rollout_id = $1 AND t.wave > $2 AND a.dispatched_at IS NOT NULL`,
    [id, wave],
  );
  await api.post(`/rollouts/${id}/abort`);
  await api.standing(id);
  const state = String(settled['state']);
  const ended = JSON.stringify(counts.ended);
  return [
    figure(
      'hosts touched after the result that exceeds the budget',
      after?.touched ?? 0,
      '',
      concurrency,
      `reach: the concurrency; the last ${(after?.late ?? 0).toFixed(0)} ms after it; ${costs(spent, hosts)}`,
      0,
    ),
    figure(
      'hosts of a later wave that were touched',
      state === 'paused' ? (beyond?.hosts ?? 0) : hosts,
      '',
      0,
      `${state} in wave ${wave} of ${WAVES.length - 1}, ${counts.pending} hosts left; ${ended}, limit ${limit}`,
      0,
    ),
  ];
}
