import { assertNever } from '@modfleet/proto';
import type { ProcessLook } from '../privileges/look-at-processes.ts';
import type { HostCheck } from './check.ts';
import { switches } from './inspect-text.ts';
import { printable, textTable } from './text-table.ts';

/** The check for a person: what works says yes, what does not says no and why. */
export function checkText(check: HostCheck): string {
  const { report } = check;
  const facets = (['loaded', 'parameters', 'available', 'devices', 'config'] as const).map((facet) => {
    const seen = report[facet];
    return [facet, seen.kind === 'value' ? 'yes' : `no: ${seen.reason}`];
  });
  const config = report.config.kind === 'value' ? report.config.value : undefined;
  const notes = [...(config?.unreadable ?? []), ...check.notes];
  const sections = [
    textTable([
      ['host', `${report.hostname ?? 'unknown'}, kernel ${report.kernelRelease ?? 'unknown'}`],
      ['mode', modeText(check.mode)],
      ['kernel', config === undefined ? 'unknown' : switches(config).join(', ') || 'has no switches for kmods'],
    ]),
    ['REPORTS', textTable(facets, '  ')].join('\n'),
    `SEES CHANGES\n  ${changesText(check)}`,
    ['ACTS', ...(check.cannotAct.length === 0 ? ['  yes'] : check.cannotAct.map((reason) => `  no: ${reason}`))].join(
      '\n',
    ),
    ['PRIVILEGES', textTable(privilegesText(check), '  ')].join('\n'),
    [
      'PROGRAMS',
      textTable(
        check.programs.map(({ name, path, purpose }) => [name, path ?? 'missing', purpose]),
        '  ',
      ),
    ].join('\n'),
    notes.length === 0 ? undefined : ['NOTES', ...notes.map((note) => `  ${printable(note)}`)].join('\n'),
  ];
  return `${sections.filter((section) => section !== undefined).join('\n\n')}\n`;
}

function privilegesText({ processes, missingSockets }: HostCheck): string[][] {
  const missing =
    missingSockets.length === 0
      ? []
      : [
          ['not kept apart', `systemd runs, but the helper's sockets are not there: ${missingSockets.join(', ')}`],
          ['run', 'systemctl daemon-reload'],
          ['', 'systemctl enable --now modfleet-helper.socket modfleet-evidence.socket'],
          ['', 'systemctl try-restart modfleet-agent'],
        ];
  if (processes !== undefined) return [...processes.flatMap(processText), ...missing];
  if (missing.length > 0) return missing;
  return [
    [
      'one process',
      "the helper is a child of the agent, with the agent's own rights: under systemd they are kept apart",
    ],
  ];
}

function processText({ kind, problems }: ProcessLook): string[][] {
  return problems.length === 0 ? [[kind, 'as listed']] : problems.map((problem) => [kind, problem]);
}

function changesText({ report, noUevents }: HostCheck): string {
  if (report.loaded.kind === 'incapable') return `no: ${report.loaded.reason}`;
  return noUevents === undefined ? 'as they happen, by kernel uevents' : `by polling only: ${noUevents}`;
}

function modeText(mode: HostCheck['mode']): string {
  switch (mode) {
    case 'observe':
      return 'observe: reports only, refuses every change';
    case 'act':
      return 'act: loads and unloads kmods when the server asks';
    default:
      return assertNever(mode);
  }
}
