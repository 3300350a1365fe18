import type { RolloutVerbWord } from '@modfleet/server/api-types';
import type { Context } from '../../context.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import type { JsonOption } from '../../output/json-fields.ts';
import { noteFreeze } from '../../output/page.ts';
import { makePlan } from './make-plan.ts';
import { planFields, printPlan } from './plan-output.ts';
import { OPTION_WORDS, planBody } from './plan-request.ts';

export interface PlanOptions {
  readonly selector?: string;
  readonly all?: boolean;
  readonly host?: readonly string[];
  readonly param?: Readonly<Record<string, string>>;
  /** Milliseconds; true: as usual. */
  readonly confirmWindow?: number | true;
  readonly override?: 'route';
  /** Milliseconds. */
  readonly wait?: number;
  readonly reason?: string;
  readonly json?: JsonOption;
}

/** Seconds; what an action has when no time is given. */
const USUAL_WINDOW_S = 120;

/** `modfleet rollouts plan VERB NAME`, and `modfleet kmods VERB NAME` for more than one host. */
export async function rolloutPlan(
  context: Context,
  verb: RolloutVerbWord,
  kmod: string,
  options: PlanOptions,
): Promise<ExitCode> {
  const { io } = context;
  const fields = planFields(options.json);
  const { selector, all, host: hosts, param: parameters, confirmWindow, override, wait, reason } = options;
  const body = planBody(
    {
      verb,
      kmod,
      selector,
      all,
      hosts,
      parameters,
      confirmWindow: confirmWindow === true ? USUAL_WINDOW_S : wholeSeconds(confirmWindow),
      overrides: override === undefined ? undefined : [override],
      answerWithin: wholeSeconds(wait),
      reason,
    },
    OPTION_WORDS,
  );
  const plan = await makePlan(context.api(), io, body);
  noteFreeze(plan.freeze, io);
  printPlan(plan, fields, io);
  return EXIT.ok;
}

function wholeSeconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}
