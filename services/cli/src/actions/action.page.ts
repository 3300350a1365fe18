import type { Finding, PlanStep } from '@modfleet/server/api-types';
import type { Io } from '../io.ts';
import { clean } from '../output/clean.ts';
import { renderFields, renderNext } from '../output/page.ts';
import { colorsFor, type Colors } from '../output/style.ts';
import { clock, exactClock, seconds } from '../output/time.ts';
import { hostWord, shellWord } from '../output/words.ts';
import { wrap } from '../output/width.ts';
import { actionHeadline, finalOutcome, isEnded, standsInTheWay, tone, type AnyAction } from './outcome.ts';
import { waysBack } from './ways-back.ts';

/** Kernel log lines shown; the JSON has them all. */
const LOG_LINES = 10;
/** Ways back shown; the JSON has them all. */
const PATHS = 12;

/** The page of one action: what was asked, what the host found, what it did, what can bring the kmod back, what to do next. */
export function renderAction(action: AnyAction, io: Io): string {
  const colors = colorsFor(io, io.out);
  const now = io.now();
  const width = io.out.columns;
  const when = (iso: string) => clock(iso, now, io.timeZone);
  const feeling = standsInTheWay(action) === undefined ? tone(finalOutcome(action)) : 'unsure';
  const head = { good: colors.green, bad: colors.red, unsure: colors.yellow }[feeling];
  const headline = `${actionHeadline(action)}.`;
  const parts = wrap(clean(headline), width).map((line) => `${colors.bold(head(line))}\n`);
  if (action.message !== '' && isEnded(action))
    parts.push(...wrap(clean(action.message), width).map((line) => `${line}\n`));
  parts.push(
    '\n',
    renderFields([
      ['action', action.id],
      [
        'asked',
        `${when(action.createdAt)} by ${action.requestedBy}${action.reason === null ? '' : `: ${action.reason}`}`,
      ],
      ['parameters', pairs(action.parameters)],
      ['expires', isEnded(action) ? null : exactClock(action.expiresAt, now, io.timeZone)],
      ['confirm within', confirmWindow(action)],
    ]),
    ...findings(action, colors, width),
    ...plan(action),
    ...steps(action, colors),
    ...confirmReport(action, (iso) => exactClock(iso, now, io.timeZone)),
    ...reloadPaths(action),
    ...afterwards(action),
  );
  if (!isEnded(action))
    parts.push(
      '\nSo far:\n',
      ...action.timeline.map((entry) => `  ${exactClock(entry.at, now, io.timeZone)}  ${clean(timelineText(entry))}\n`),
    );
  return parts.join('') + renderNext(nextCommands(action));
}

/** "ended: refused - in use". */
export function timelineText(entry: AnyAction['timeline'][number]): string {
  const state = entry.outcome === null ? entry.state : `${entry.state}: ${entry.outcome}`;
  return entry.note === '' ? state : `${state} - ${entry.note}`;
}

function findings(action: AnyAction, colors: Colors, width: number | undefined): string[] {
  const all = action.verdict?.findings ?? [];
  if (all.length === 0) return [];
  const lines = all.flatMap((finding) => [
    ...wrap(
      `  ${finding.refuses ? colors.red('refuses') : colors.yellow('note   ')}  ${clean(finding.code)} (${finding.layer}): ${clean(finding.message)}`,
      width,
      '           ',
    ).map((line) => `${line}\n`),
    ...evidence(finding),
  ]);
  return ['\nFindings:\n', ...lines];
}

function evidence(finding: Finding): string[] {
  return finding.evidence.map(({ kind, value }) => `           ${clean(kind)}: ${clean(value)}\n`);
}

function plan(action: AnyAction): string[] {
  const all = action.verdict?.plan ?? [];
  if (all.length === 0 || (action.result?.steps.length ?? 0) > 0) return [];
  const head = action.dryRun ? 'Plan, not run:' : isEnded(action) ? 'Plan, not run:' : 'Plan:';
  return [
    `\n${head}\n`,
    ...all.map(
      (step, at) => `  ${at + 1}. ${clean(stepText(step))}${step.because === '' ? '' : `  (${clean(step.because)})`}\n`,
    ),
  ];
}

function stepText(step: PlanStep): string {
  return [step.kind, step.kmod, ...step.parameters].join(' ');
}

function steps(action: AnyAction, colors: Colors): string[] {
  const all = action.result?.steps ?? [];
  if (all.length === 0) return [];
  return [
    '\nDone on the host:\n',
    ...all.flatMap((step, at) => {
      const seen = step.verified
        ? colors.green('seen in /proc/modules')
        : colors.red('not so in /proc/modules afterwards');
      const exit = step.exitCode === null ? 'no exit code' : `exit ${step.exitCode}`;
      const errno = step.errno === '' ? '' : `, ${clean(step.errno)}`;
      const said = step.stderr.trim() === '' ? [] : [`     ${clean(step.stderr.trim())}\n`];
      return [
        `  ${at + 1}. ${clean(`${step.kind} ${step.kmod}`)}: ${seen} (${exit}${errno}, ${seconds(step.durationMs)})\n`,
        ...said,
      ];
    }),
  ];
}

function confirmWindow({ confirmWindow: window, overrides }: AnyAction): string | null {
  if (window === null) return null;
  return `${window} s${overrides.length === 0 ? '' : `, override ${overrides.join(', ')}`}`;
}

const CONFIRM_ENDS = {
  kept: 'kept: the host asked over a new connection and was answered in time',
  reverted: 'reverted: no confirm in time',
  not_asked: 'not asked for: a step failed, and the host put itself back',
  unknown: 'not known: no confirm in time, and no revert has said that it put the host back',
} as const;

/** How the confirm window ended, and what the server had said. */
function confirmReport({ confirm, result }: AnyAction, when: (iso: string) => string): string[] {
  const report = result?.confirm;
  if (report === undefined || report === null) return [];
  const cause = report.cause === '' ? '' : ` (${clean(report.cause)})`;
  const from = report.localAddress === '' ? '' : `, from ${clean(report.localAddress)}`;
  const offered =
    confirm === null || confirm.offeredAt === null
      ? 'never asked'
      : `said yes at ${when(confirm.offeredAt)} to ${clean(confirm.offeredTo ?? '')}`;
  const list = (head: string, all: readonly string[]): string[] =>
    all.length === 0 ? [] : [`  ${head}\n`, ...all.map((one) => `    ${clean(one)}\n`)];
  return [
    '\nConfirm window:\n',
    `  ${CONFIRM_ENDS[report.end]}${cause}${from}\n`,
    `  the server: ${offered}\n`,
    ...list('put back by the host:', report.restored),
    ...list('missing:', report.missing),
    ...(report.rebootedToRecover ? ['  the host rebooted to recover\n'] : []),
  ];
}

function reloadPaths(action: AnyAction): string[] {
  const { verdict, result } = action;
  const foreseen = action.canReturn || (action.dryRun && verdict?.allowed) ? verdict?.reloadPaths : undefined;
  const paths = result?.reloadPaths.length ? result.reloadPaths : (foreseen ?? []);
  const { seen, unknown } = waysBack(paths);
  const head = action.dryRun ? 'Afterwards these could bring it back:' : 'These can bring it back:';
  const more = seen.length > PATHS ? [`  and ${seen.length - PATHS} more\n`] : [];
  return [
    ...(seen.length === 0 ? [] : [`\n${head}\n`]),
    ...seen.slice(0, PATHS).map(({ kind, value }) => `  ${clean(kind)}: ${clean(value)}\n`),
    ...more,
    ...(unknown.length === 0
      ? []
      : [`\nWhether anything ${seen.length > 0 ? 'else ' : ''}can bring it back is not known:\n`]),
    ...unknown.map((why) => `  ${clean(why)}\n`),
  ];
}

function afterwards(action: AnyAction): string[] {
  const { result } = action;
  if (result === null) return [];
  const parts: string[] = [];
  const taint = result.taintBefore !== null && result.taintAfter !== null && result.taintBefore !== result.taintAfter;
  if (taint) parts.push(`\nThe kernel's taint went from ${result.taintBefore} to ${result.taintAfter}.\n`);
  if (result.kernelLog.length > 0) {
    const shown = result.kernelLog.slice(-LOG_LINES);
    parts.push(
      `\nKernel log${shown.length < result.kernelLog.length ? `, last ${LOG_LINES} of ${result.kernelLog.length} lines` : ''}:\n`,
      ...shown.map((line) => `  ${clean(line)}\n`),
    );
  }
  return parts;
}

function pairs(parameters: Readonly<Record<string, string>>): string {
  return Object.entries(parameters)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

function nextCommands(action: AnyAction): [string, string][] {
  const host = hostWord(action.host);
  const live = `modfleet kmods hosts ${action.kmod} --live`;
  if (!isEnded(action)) {
    const next: [string, string][] = [['wait for the end', `modfleet actions watch ${action.id}`]];
    if (action.state !== 'started') next.push(['call it off', `modfleet actions cancel ${action.id}`]);
    return next;
  }
  const parameters = Object.entries(action.parameters).map(
    ([key, value]) => ` --param ${shellWord(`${key}=${value}`)}`,
  );
  const window = action.confirmWindow === null ? '' : ` --confirm-window ${action.confirmWindow}`;
  const overrides = action.overrides.map((word) => ` --override ${word}`).join('');
  const again = `modfleet kmods ${action.verb} ${action.kmod} --host ${host}${parameters.join('')}${window}${overrides}`;
  switch (finalOutcome(action)) {
    case 'succeeded':
      return action.dryRun && action.verdict?.allowed && action.verdict.plan.length > 0
        ? [['do it', `${again} --watch`]]
        : [['see who runs it now', live]];
    case 'unchanged':
      return [['see who runs it now', live]];
    case 'refused':
      if (standsInTheWay(action) !== undefined) return [['see the host', `modfleet hosts show ${host}`]];
      return [
        ['who uses it, as far as the kernel tells', live],
        ['see the host', `modfleet hosts show ${host}`],
      ];
    case 'expired':
    case 'cancelled':
      return [
        ['is it connected', `modfleet hosts show ${host}`],
        ['again', `${again} --watch`],
      ];
    case 'unconfirmed':
    case 'interrupted':
      return [
        ['what is loaded now', live],
        ['has a late result come', `modfleet actions show ${action.id}`],
      ];
    default:
      return [
        ['what is loaded now', live],
        ['see the host', `modfleet hosts show ${host}`],
      ];
  }
}
