import type { CreatePlanBody, RolloutPlan } from '@modfleet/server/api-types';
import { path, type Api } from '../../api/api.ts';
import { Reconnect } from '../../api/reconnect.ts';
import { CliError } from '../../errors/cli-error.ts';
import { goesOn } from '../../errors/goes-on.ts';
import { EXIT } from '../../errors/exit-codes.ts';
import type { Io } from '../../io.ts';
import { clean } from '../../output/clean.ts';
import { exactClock } from '../../output/time.ts';
import { count } from '../../output/words.ts';
import { task } from '../verbs.ts';

const FIRST_MS = 250;
const LONGEST_MS = 2000;
/** The server closes a plan when its time is over; so much later it counts as one that will not. */
const GRACE_MS = 60_000;
/** A server that does not answer is asked so often in a row. */
const RECONNECTS = 12;

/** Has every host asked, waits until all have answered or their time is over, and gives the plan. Tells on stderr how many have answered. */
export async function makePlan(api: Api, io: Io, body: CreatePlanBody): Promise<RolloutPlan> {
  const asked = { selector: body.selector, host: body.hosts?.length === 1 ? body.hosts[0] : undefined };
  const made = await api.change<RolloutPlan>({ method: 'POST', path: '/rollout-plans', body, asked });
  const until = exactClock(made.answersUntil, io.now(), io.timeZone);
  io.err.write(
    `Plan ${made.id}: asking ${count(made.counts.total, 'host')} what would be done: ${clean(task(made))}. Nothing is touched; answers count until ${until}.\n`,
  );
  return waitForPlan(api, io, made);
}

/**
 * Waits until a plan is ready.
 *
 * @throws CliError 5 when the server stays away, 7 when the plan does not become ready, 130 on Ctrl-C: it is made all the same.
 */
export async function waitForPlan(api: Api, io: Io, plan: RolloutPlan): Promise<RolloutPlan> {
  const lively = io.err.isTty && io.env['TERM'] !== 'dumb';
  const reconnect = new Reconnect(io, RECONNECTS);
  let left = Date.parse(plan.answersUntil) - Date.parse(plan.createdAt) + GRACE_MS;
  let pause = FIRST_MS;
  let latest = plan;
  try {
    while (latest.state !== 'ready') {
      if (lively) io.err.write(`\r${answered(latest)} \u001b[K`);
      if (left <= 0) throw new CliError('the plan did not become ready in its time', { exitCode: EXIT.timeout });
      await io.wait(pause).catch(() => undefined);
      if (io.signal.aborted) throw new CliError('interrupted', { exitCode: EXIT.interrupted });
      left -= pause;
      pause = Math.min(pause * 2, LONGEST_MS);
      try {
        latest = await api.get<RolloutPlan>(path`/rollout-plans/${plan.id}`, {}, { plan: plan.id });
        reconnect.progressed();
      } catch (error) {
        reconnect.lost(error);
        await reconnect.pause();
      }
    }
    if (!lively) io.err.write(`${answered(latest)}.\n`);
    return latest;
  } catch (error) {
    throw goesOn(error, 'The plan is made all the same', [`see it: modfleet rollouts show-plan ${plan.id}`]);
  } finally {
    if (lively) io.err.write('\r\u001b[K');
  }
}

/** Who cannot say has not answered, whatever the reason. */
function answered({ counts }: RolloutPlan): string {
  return `${counts.total - counts.asked - counts.unknown} of ${count(counts.total, 'host')} answered`;
}
