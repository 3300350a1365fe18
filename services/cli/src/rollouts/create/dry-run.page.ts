import type { CreatePlanBody, RolloutPlan } from '@modfleet/server/api-types';
import type { Io } from '../../io.ts';
import { renderFields, renderNext } from '../../output/page.ts';
import { colorsFor } from '../../output/style.ts';
import { exactClock } from '../../output/time.ts';
import { wideFor, type Wide } from '../../output/wide.ts';
import { count } from '../../output/words.ts';
import { typedTime } from '../options/typed-settings.ts';
import { hostsOf } from '../options/amount.ts';
import { FAILURE_KINDS } from '../options/budget.ts';
import { typedOrder } from '../options/order.ts';
import type { RolloutSettings } from '../options/settings.ts';
import { hostsText, planHeadline } from '../plan/plan-words.ts';
import { task } from '../verbs.ts';
import type { ForeseenWave } from './waves.ts';

/** What a rollout would be. */
export interface DryRun {
  /** Undefined: it would be asked for with the rollout. */
  readonly made: RolloutPlan | undefined;
  readonly hosts: number;
  /** Of them those that refuse, for a reason that does not pass by itself: they are in no wave. */
  readonly refusing: number;
  readonly waves: readonly ForeseenWave[];
}

/** What the server takes for what is left out, in its words (docs/api.md). */
const USUAL = { concurrency: 50, share: 0.05, bake: 60, deadline: 3600 } as const;

/** The page of `--dry-run`. INVARIANT: nothing here reads as done. */
export function renderDryRun(
  plan: string | CreatePlanBody,
  settings: RolloutSettings,
  { made, hosts, refusing, waves }: DryRun,
  again: string,
  io: Io,
): string {
  const colors = colorsFor(io, io.out);
  const wide = wideFor(io.out);
  const head =
    made === undefined && typeof plan !== 'string'
      ? `Would be planned first, and every host asked: ${task(plan)} on ${count(hosts, 'host')}.`
      : made === undefined
        ? ''
        : planHeadline(made);
  return [
    ...wide('Dry run: nothing is created, and no host is asked.').map((line) => colors.bold(line)),
    ...wide(head),
    ...(made?.state === 'asking'
      ? wide('The plan is still asking its hosts: no rollout is created from it before it is ready.')
      : []),
    '\n',
    renderFields(facts(plan, settings, made, hosts - refusing, io)),
    '\nWaves:\n',
    ...waveLines(waves, settings.canary === true && made === undefined, wide),
    ...(refusing === 0
      ? []
      : wide(`  to ${count(refusing, 'host')} nothing is sent: see what refuses in the plan`, '    ')),
    '\nAt most so many hosts may fail:\n',
    ...budgetLines(settings, hosts, waves, wide),
    renderNext([['begin it', again]]),
  ].join('');
}

function facts(
  plan: string | CreatePlanBody,
  settings: RolloutSettings,
  made: RolloutPlan | undefined,
  hosts: number,
  io: Io,
): [string, string | null][] {
  const named = typeof plan === 'string' ? undefined : plan;
  return [
    ['plan', made?.id ?? null],
    ['good until', made === undefined ? null : exactClock(made.expiresAt, io.now(), io.timeZone)],
    ['hosts', hostsText(made === undefined ? (named?.all ? '' : (named?.selector ?? null)) : made.selector)],
    ['at a time', atATime(settings.concurrency, hosts)],
    ['bake', settings.bake === 0 ? 'none' : typedTime(settings.bake ?? USUAL.bake)],
    ['when exceeded', (settings.onBudget ?? 'pause').replace('_', ' ')],
    ['deadline', `${typedTime(settings.deadline ?? USUAL.deadline)} after its creation`],
    ['offline', settings.offline === 'skip' ? 'skipped' : 'waited for until the deadline'],
    ['order', settings.order === undefined ? 'random' : typedOrder(settings.order as Parameters<typeof typedOrder>[0])],
    ['approval', settings.requireApproval ? 'needed before it begins' : null],
    ['reason', settings.reason ?? null],
  ];
}

function atATime(given: RolloutSettings['concurrency'], hosts: number): string {
  if (given === 'unlimited') return 'unlimited';
  const most =
    given === undefined ? Math.min(USUAL.concurrency, Math.floor(hosts * USUAL.share)) : hostsOf(String(given), hosts);
  return count(Math.max(1, most), 'host');
}

function waveLines(waves: readonly ForeseenWave[], canaryUnknown: boolean, wide: Wide): string[] {
  if (waves.length === 0) return wide('  none: there is no host');
  return [
    ...(canaryUnknown
      ? wide(
          '  before these a canary: one host of each kernel release and kind of hardware; how many, the plan will tell',
          '    ',
        )
      : []),
    ...waves.flatMap(({ wave, canary, hosts, inAll }) =>
      wide(
        `  ${wave}${canary ? ' (canary)' : ''}: ${count(hosts, 'host')}${inAll === hosts ? '' : `, ${inAll} in all`}`,
        '    ',
      ),
    ),
  ];
}

/** Limits in hosts; of each wave of the largest one. */
function budgetLines({ budget }: RolloutSettings, hosts: number, waves: readonly ForeseenWave[], wide: Wide): string[] {
  const largest = Math.max(0, ...waves.map((wave) => wave.hosts));
  return FAILURE_KINDS.flatMap((kind) => {
    const free = kind === 'refused' || kind === 'unreachable';
    const whole = budget?.whole?.[kind];
    const inWave = budget?.wave?.[kind];
    const told = whole === undefined ? (free ? 'no limit' : '0') : inHosts(String(whole), hosts);
    const wave = inWave === undefined ? '' : `; in a wave ${inHosts(String(inWave), largest, 'of the largest')}`;
    return wide(`  ${kind}: ${told}${wave}`, '    ');
  });
}

function inHosts(value: string, total: number, of = ''): string {
  if (!value.endsWith('%')) return value;
  return `${hostsOf(value, total)} (${value}${of === '' ? '' : ` ${of}`})`;
}
