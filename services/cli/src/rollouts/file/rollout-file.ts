import type { CreatePlanBody, RolloutFailureKind } from '@modfleet/server/api-types';
import { duration, hostName, kmodName, parameter, selector, uuid } from '../../command-line/values.ts';
import { CliError, usageError } from '../../errors/cli-error.ts';
import { EXIT } from '../../errors/exit-codes.ts';
import { amount, concurrency, waves } from '../options/amount.ts';
import { FAILURE_KINDS, type BudgetLimits } from '../options/budget.ts';
import { order } from '../options/order.ts';
import { BAKE, DEADLINE, OFFLINE, onBudget, reason, type RolloutSettings, secondsOf } from '../options/settings.ts';
import { oneOf } from '../../command-line/values.ts';
import { CONFIRM_WINDOW, PLAN_WAIT } from '../plan/plan-options.ts';
import { planBody, type PartWords, type PlanParts } from '../plan/plan-request.ts';
import { rolloutVerb } from '../verbs.ts';
import { flag, pairs, type Read, type Reading, readMap, text, texts } from './yaml-map.ts';

/** A file of `rollouts create -f` (docs/rollout-file.md). */
export interface RolloutFile {
  /** Id of a plan that is there, or what a plan is to be asked for. */
  readonly plan?: string | CreatePlanBody;
  readonly settings: RolloutSettings;
}

const WORDS: PartWords = {
  selector: 'selector',
  all: 'all: true',
  hosts: 'hosts',
  parameters: 'parameters',
  confirmWindow: 'confirm_window',
  overrides: 'overrides',
};

/** A value that an option of the command takes in the same way. */
const as =
  <T>(parse: (name: string, text: string) => T): Read<T> =>
  (node, name, reading) =>
    parse(name, text(node, name, reading));

const isTrue: Read<true | undefined> = (node, name, reading) => (flag(node, name, reading) ? true : undefined);

interface PlanKeys {
  verb: PlanParts['verb'];
  kmod: string;
  selector: string;
  hosts: string[];
  all: true | undefined;
  parameters: Record<string, string>;
  confirm_window: number;
  overrides: 'route'[];
  wait: number;
  reason: string;
}

const PLAN_KEYS: { readonly [K in keyof PlanKeys]-?: Read<PlanKeys[K]> } = {
  verb: as(rolloutVerb),
  kmod: as((_name, value) => kmodName(value)),
  selector: as((_name, value) => selector(value)),
  hosts: (node, name, reading) => texts(node, name, reading).map(hostName),
  all: isTrue,
  parameters: (node, name, reading) => {
    const given = Object.entries(pairs(node, name, reading));
    return given.reduce<Record<string, string>>((sum, [key, value]) => parameter(`${key}=${value}`, sum), {});
  },
  confirm_window: as((name, value) => Math.ceil(duration(name, value, CONFIRM_WINDOW) / 1000)),
  overrides: (node, name, reading) => texts(node, name, reading).map(oneOf(name, ['route'] as const)),
  wait: as((name, value) => Math.ceil(duration(name, value, PLAN_WAIT) / 1000)),
  reason: as(reason),
};

function readPlan(node: Parameters<Read<unknown>>[0], name: string, reading: Reading): string | CreatePlanBody {
  if (reading.yaml.isScalar(node)) return uuid('a plan', text(node, name, reading), 'modfleet rollouts list-plans');
  const before = reading.faults.length;
  const found = readMap<PlanKeys>(node, name, PLAN_KEYS, reading);
  if (reading.faults.length > before) return '';
  const { verb, kmod, confirm_window: confirmWindow, wait: answerWithin, ...rest } = found;
  if (verb === undefined) throw usageError(`${name} has no verb`);
  if (kmod === undefined) throw usageError(`${name} has no kmod`);
  return planBody({ ...rest, verb, kmod, confirmWindow, answerWithin }, WORDS);
}

const LIMITS = Object.fromEntries(FAILURE_KINDS.map((kind) => [kind, as(amount)])) as {
  readonly [K in RolloutFailureKind]-?: Read<string>;
};

const WAVE_LIMITS: Read<BudgetLimits> = (node, name, reading) =>
  readMap<Record<RolloutFailureKind, string>>(node, name, LIMITS, reading);

const BUDGET: Read<NonNullable<RolloutSettings['budget']>> = (node, name, reading) => {
  const { wave, ...whole } = readMap<Record<RolloutFailureKind, string> & { wave: BudgetLimits }>(
    node,
    name,
    { ...LIMITS, wave: WAVE_LIMITS },
    reading,
  );
  return { ...(Object.keys(whole).length === 0 ? {} : { whole }), ...(wave === undefined ? {} : { wave }) };
};

interface FileKeys {
  plan: string | CreatePlanBody;
  waves: string[];
  canary: boolean;
  concurrency: string;
  bake: number;
  budget: NonNullable<RolloutSettings['budget']>;
  on_budget: 'pause' | 'abort' | 'roll_back';
  deadline: number;
  offline: 'wait' | 'skip';
  order: ReturnType<typeof order>;
  require_approval: boolean;
  reason: string;
}

const FILE_KEYS: { readonly [K in keyof FileKeys]-?: Read<FileKeys[K]> } = {
  plan: readPlan,
  waves: (node, name, reading) => waves(name, texts(node, name, reading).join(',')),
  canary: flag,
  concurrency: as(concurrency),
  bake: as((name, value) => secondsOf(name, value, BAKE)),
  budget: BUDGET,
  on_budget: as(onBudget),
  deadline: as((name, value) => secondsOf(name, value, DEADLINE)),
  offline: as((name, value) => oneOf(name, OFFLINE)(value)),
  order: as(order),
  require_approval: flag,
  reason: as(reason),
};

/** Reads and checks a file. @throws CliError 2 that names each line that is wrong. */
export async function readRolloutFile(file: string, content: string): Promise<RolloutFile> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(content, { lineCounter: lines, prettyErrors: false });
  const reading: Reading = { yaml, document, lines, faults: [] };
  for (const error of document.errors)
    reading.faults.push({ line: lines.linePos(error.pos[0]).line, text: `no YAML: ${error.message}` });
  let found: Partial<FileKeys> = {};
  if (reading.faults.length === 0) {
    if (document.contents === null) throw usageError(`${file} is empty`, 'what it may say: docs/rollout-file.md');
    try {
      found = readMap<FileKeys>(document.contents, '', FILE_KEYS, reading);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      throw usageError(`${file} is no rollout: it has no keys`, ...error.hints, 'an example: docs/rollout-file.md');
    }
  }
  refuse(file, reading);
  const { plan, on_budget: whenExceeded, require_approval: requireApproval, ...rest } = found;
  const settings: RolloutSettings = {
    ...rest,
    ...(whenExceeded === undefined ? {} : { onBudget: whenExceeded }),
    ...(requireApproval === undefined ? {} : { requireApproval }),
  };
  return plan === undefined ? { settings } : { plan, settings };
}

function refuse(file: string, { faults }: Reading): void {
  if (faults.length === 0) return;
  const [only] = faults;
  if (only !== undefined && faults.length === 1)
    throw usageError(`${file}, line ${only.line}: ${only.text}`, 'what a file may say: docs/rollout-file.md');
  throw new CliError(`${file} has ${faults.length} faults:`, {
    exitCode: EXIT.usage,
    details: [...faults].sort((a, b) => a.line - b.line).map(({ line, text: why }) => `  line ${line}: ${why}`),
    hints: ['what a file may say: docs/rollout-file.md'],
  });
}
