import { setTimeout as delay } from 'node:timers/promises';
import { type Figure, figure } from '../figures.ts';
import { type RolloutApi, UNCHANGED } from './rollout-api.ts';

const REACH_MS = 1_000;
const LOOK_MS = 20;
/** Share of the hosts that have been sent something when it is stopped. */
const SENT = 0.2;

interface Stopped {
  /** From the request to the last dispatch. */
  readonly ms: number;
  readonly sent: number;
  /** After the request, and after its answer. */
  readonly sentSince: number;
  readonly sentAfter: number;
  readonly answerMs: number;
}

/** A rollout without a limit of concurrency is paused, and another one frozen, while it goes on: from the request to the last dispatch after it. */
export async function measureStop(api: RolloutApi): Promise<Figure[]> {
  const plan = await api.plan(UNCHANGED);
  const pause = await stopped(api, plan, (id) => api.post(`/rollouts/${id}/pause`, { reason: 'measuring' }));
  const freeze = await stopped(api, plan, () => api.post('/freeze', { reason: 'measuring' }));
  return [stopFigure(api, 'pause', pause), stopFigure(api, 'freeze', freeze)];
}

async function stopped(
  api: RolloutApi,
  plan: Record<string, unknown>,
  stop: (id: string) => Promise<unknown>,
): Promise<Stopped> {
  await api.fleet.calm();
  const id = String((await api.post('/rollouts', { plan: plan['id'], concurrency: 'unlimited', bake: 0 }))['id']);
  await api.untilRows(
    'SELECT count(*) >= $2 AS so FROM action WHERE rollout_id = $1 AND dispatched_at IS NOT NULL',
    [id, Math.ceil(api.fleet.hosts * SENT)],
    LOOK_MS,
  );
  const asked = Date.now();
  await stop(id);
  const answered = Date.now();
  // Long after the reach.
  await delay(3 * REACH_MS);
  const [row] = await api.rows<{ ms: number; sent: number; since: number; after: number }>(
    `SELECT coalesce(extract(epoch FROM max(dispatched_at))::float8 * 1000 - $2::float8, 0) AS ms, count(dispatched_at)::int AS sent,
            (count(*) FILTER (WHERE dispatched_at > to_timestamp($2::float8 / 1000)))::int AS since,
            (count(*) FILTER (WHERE dispatched_at > to_timestamp($3::float8 / 1000)))::int AS after
       FROM action WHERE rollout_id = $1`,
    [id, asked, answered],
  );
  await api.post(`/rollouts/${id}/abort`);
  await api.post('/thaw');
  await api.standing(id);
  const { ms = 0, sent = 0, since = 0, after = 0 } = row ?? {};
  return { ms: Math.max(0, ms), sent, sentSince: since, sentAfter: after, answerMs: answered - asked };
}

function stopFigure({ fleet: { hosts } }: RolloutApi, what: string, stopped: Stopped): Figure {
  const { ms, sent, sentSince, sentAfter, answerMs } = stopped;
  const held = hosts - sent;
  const note = `${sentSince} sent after the request, ${sentAfter} after its answer, which took ${answerMs} ms; ${held} of ${hosts} hosts held back`;
  const measured = figure(`${what} until the last dispatch, from the request`, ms, 'ms', REACH_MS, note, 0);
  // Where all had been sent there was nothing to stop.
  return held === 0 ? { ...measured, holds: false } : measured;
}
