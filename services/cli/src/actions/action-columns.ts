import type { Column } from '../output/table.ts';
import { clock } from '../output/time.ts';
import { finalOutcome, tone, type AnyAction } from './outcome.ts';
import { isReturnSeen } from './ways-back.ts';

/** The table of actions. The order of raw cells is part of the command's contract (docs/cli.md). */
export function actionColumns(now: Date, timeZone: string | undefined): Column<AnyAction>[] {
  return [
    { head: 'ACTION', cell: (row) => row.id },
    { head: 'ASKED', cell: (row) => clock(row.createdAt, now, timeZone), raw: (row) => row.createdAt },
    { head: 'HOST', cell: (row) => row.host.name, shrink: 2 },
    { head: 'VERB', cell: (row) => `${row.verb}${row.dryRun ? ' (dry run)' : ''}` },
    { head: 'KMOD', cell: (row) => row.kmod },
    {
      head: 'STATE',
      cell: stateCell,
      raw: (row) => finalOutcome(row) ?? row.state,
      color: (colors, row) => ({ good: colors.green, bad: colors.red, unsure: colors.yellow })[tone(finalOutcome(row))],
    },
    { head: 'BY', cell: (row) => row.requestedBy, shrink: 3 },
    { head: 'REASON', cell: (row) => row.reason ?? '', hideEmpty: true, shrink: 4 },
    { head: 'MESSAGE', cell: (row) => row.message, pipeOnly: true },
  ];
}

/** "succeeded" of a dry run would read as done: it says what the verdict was. */
function stateCell(row: AnyAction): string {
  const outcome = finalOutcome(row);
  if (row.dryRun && outcome === 'succeeded') return 'would run';
  if (!row.canReturn) return outcome ?? row.state;
  return `${outcome ?? row.state}, ${isReturnSeen(row) ? 'can' : 'may'} return`;
}
