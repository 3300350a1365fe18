import { type Figure, figure } from '../figures.ts';
import { delayFigures } from '../fleet/delay-figures.ts';
import { CHANGED, costs, type RolloutApi } from './rollout-api.ts';

const REACH_SECONDS = 10;

/** From the request to the answer that the plan is ready. */
export async function measurePlan(api: RolloutApi): Promise<Figure[]> {
  const { hosts } = api.fleet;
  const spent = await api.spent(() => api.plan(CHANGED));
  const counts = spent.result['counts'] as Record<string, number>;
  const said = (counts['wouldChange'] ?? 0) + (counts['unchanged'] ?? 0);
  return [
    figure(`plan of ${hosts} hosts until it is ready`, spent.seconds, 's', REACH_SECONDS, costs(spent, hosts)),
    figure('hosts of the plan that did not answer', hosts - said, '', 0, JSON.stringify(counts), 0),
    ...delayFigures('plan', spent.delays),
  ];
}
