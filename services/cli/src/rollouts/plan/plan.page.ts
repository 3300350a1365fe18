import type { PlanClass, PlanRefusal, RolloutPlan } from '@modfleet/server/api-types';
import { waysBackOf } from './ways-back-lines.ts';
import type { Io, Sink } from '../../io.ts';
import { renderFields, renderNext } from '../../output/page.ts';
import { wideFor, type Wide } from '../../output/wide.ts';
import { colorsFor, type Colors } from '../../output/style.ts';
import { clock, exactClock } from '../../output/time.ts';
import { count, list } from '../../output/words.ts';
import { takesAway } from '../verbs.ts';
import { alongWith, hostsText, planHeadline, sampleText, typedPlan } from './plan-words.ts';

/** New matches named; the JSON has more. */
const MATCHES = 10;

/** The page of a plan: what every host said, what would be done, what would not and why, who cannot say, and how to go on. */
export function renderPlan(plan: RolloutPlan, io: Io, sink: Sink = io.out): string {
  const colors = colorsFor(io, sink);
  const wide = wideFor(sink);
  return [
    ...wide(planHeadline(plan)).map((line) => colors.bold(line)),
    ...(plan.state === 'asking' ? wide('It is still asking: what is below is not all.') : []),
    '\n',
    facts(plan, io),
    ...planBodyLines(plan, io, sink),
    renderNext(next(plan, io.now())),
  ].join('');
}

/** What the hosts said: classes of equal plans, refusals, who cannot say, and who is not meant. */
export function planBodyLines(plan: RolloutPlan, io: Io, sink: Sink): string[] {
  const colors = colorsFor(io, sink);
  const wide = wideFor(sink);
  return [
    ...classes(plan, colors, wide),
    ...refusals(plan, colors, wide),
    ...unknowns(plan, colors, wide),
    ...others(plan, wide),
  ];
}

function facts(plan: RolloutPlan, io: Io): string {
  const parameters = Object.entries(plan.parameters).map(([key, value]) => `${key}=${value}`);
  const window = plan.confirmWindow === null ? null : `${plan.confirmWindow} s`;
  return renderFields([
    ['plan', plan.id],
    ['hosts', hostsText(plan.selector)],
    ['parameters', parameters.join(' ')],
    [
      'confirm within',
      window === null ? null : [window, ...plan.overrides.map((word) => `override ${word}`)].join(', '),
    ],
    [
      'asked',
      `${clock(plan.createdAt, io.now(), io.timeZone)} by ${plan.requestedBy}${plan.reason === null ? '' : `: ${plan.reason}`}`,
    ],
    ['good until', exactClock(plan.expiresAt, io.now(), io.timeZone)],
    ['rollouts', plan.rollouts.join(' ')],
  ]);
}

function classes(plan: RolloutPlan, colors: Colors, wide: Wide): string[] {
  const changing = plan.classes.filter((each) => each.standing === 'would_change');
  const already = plan.classes.filter((each) => each.standing === 'unchanged');
  return [
    ...(changing.length === 0 ? [] : [`\nWould change, ${count(plan.counts.wouldChange, 'host')}:\n`]),
    ...changing.flatMap((each) => classLines(each, plan, colors, wide)),
    ...(already.length === 0 ? [] : [`\nAlready so, ${count(plan.counts.unchanged, 'host')}:\n`]),
    ...already.flatMap((each) => [
      ...classHead(each, colors, wide),
      ...(takesAway(plan.verb) ? waysBackOf(each.reloadPaths, 'could bring it back', wide) : []),
    ]),
  ];
}

function classHead(each: PlanClass, colors: Colors, wide: Wide): string[] {
  const [first = '', ...more] = wide(
    `  class ${each.class}  ${count(each.hosts, 'host')}: ${sampleText(each.sample, each.hosts)}`,
    '    ',
  );
  return [colors.bold(first), ...more];
}

function classLines(each: PlanClass, plan: RolloutPlan, colors: Colors, wide: Wide): string[] {
  const along = alongWith(each.steps, plan.kmod);
  return [
    ...classHead(each, colors, wide),
    ...each.steps.flatMap((step, at) => {
      const because = step.because === '' ? '' : `  (${step.because})`;
      return wide(`    ${at + 1}. ${[step.kind, step.kmod, ...step.parameters].join(' ')}${because}`, '       ');
    }),
    ...(along.length === 0
      ? []
      : wide(`    with it goes: ${list(along)}`, '      ').map((line) => colors.yellow(line))),
    ...(each.overrides.length === 0
      ? []
      : wide(`    sets aside the protection of: ${list(each.overrides)}`, '      ').map((line) => colors.yellow(line))),
    ...(takesAway(plan.verb) ? waysBackOf(each.reloadPaths, 'could bring it back', wide) : []),
  ];
}

function refusals(plan: RolloutPlan, colors: Colors, wide: Wide): string[] {
  if (plan.refusals.length === 0) return [];
  return [
    `\nRefuse, ${count(plan.counts.refused, 'host')}:\n`,
    ...plan.refusals.flatMap((refusal) => refusalLines(refusal, colors, wide)),
  ];
}

function refusalLines(refusal: PlanRefusal, colors: Colors, wide: Wide): string[] {
  const again = refusal.retried ? '; a rollout tries again until its deadline' : '';
  const [first = '', ...more] = wide(
    `  ${refusal.code}  ${count(refusal.hosts, 'host')}: ${refusal.message}${again}`,
    '    ',
  );
  return [
    colors.red(first),
    ...more.map((line) => colors.red(line)),
    ...refusal.evidence.flatMap(({ kind, value }) => wide(`    ${kind}: ${value}`, '      ')),
    ...wide(`    on ${sampleText(refusal.sample, refusal.hosts)}`, '      '),
  ];
}

/** Who cannot say is neither safe nor done: it is said what a rollout does with them. */
function unknowns(plan: RolloutPlan, colors: Colors, wide: Wide): string[] {
  if (plan.unknowns.length === 0) return [];
  return [
    `\nCannot say, ${count(plan.counts.unknown, 'host')}; a rollout does to them only what is in a class above, or nothing:\n`,
    ...plan.unknowns.flatMap((each) =>
      wide(
        `  ${each.code}  ${count(each.hosts, 'host')}: ${each.message} (${sampleText(each.sample, each.hosts)})`,
        '    ',
      ).map((line) => colors.yellow(line)),
    ),
  ];
}

function others(plan: RolloutPlan, wide: Wide): string[] {
  const lines: string[] = [];
  if (plan.unknownInSelector > 0)
    lines.push(
      `${count(plan.unknownInSelector, 'more host')} may match: a fact that the selector asks for is not known now. They are not meant, and nothing is said of them.`,
    );
  if (plan.newMatches.length > 0)
    lines.push(
      `${count(plan.newMatches.length, 'host')} ${plan.newMatches.length === 1 ? 'matches' : 'match'} the selector now and did not when this was made; not meant: ${namesOf(plan)}`,
    );
  return lines.flatMap((line) => ['\n', ...wide(line)]);
}

function namesOf({ newMatches }: RolloutPlan): string {
  const named = newMatches.slice(0, MATCHES).map((host) => host.name);
  return newMatches.length > named.length
    ? `${named.join(', ')} and ${newMatches.length - named.length} more`
    : list(named);
}

/** The last line is the one to go on with. */
function next(plan: RolloutPlan, now: Date): [string, string][] {
  const show = `modfleet rollouts show-plan ${plan.id}`;
  if (plan.state === 'asking') return [['see it when all have answered', show]];
  if (Date.parse(plan.expiresAt) <= now.getTime()) return [['it is too old; ask the hosts anew', typedPlan(plan)]];
  const { refused, unknown, wouldChange } = plan.counts;
  return [
    ...(refused > 0 ? [['each host that refuses', `${show} --standing refused`] as [string, string]] : []),
    ...(unknown > 0 ? [['each host that cannot say', `${show} --standing unknown`] as [string, string]] : []),
    ...(refused + unknown === 0 ? [['each host', `${show} --targets`] as [string, string]] : []),
    ...(wouldChange + unknown > 0 || plan.refusals.some((refusal) => refusal.retried)
      ? [
          ['in which waves, without beginning', `modfleet rollouts create ${plan.id} --dry-run`] as [string, string],
          ['go on', `modfleet rollouts create ${plan.id}`] as [string, string],
        ]
      : []),
  ];
}
