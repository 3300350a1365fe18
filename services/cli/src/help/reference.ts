import type { Command } from 'commander';
import { auditColumns } from '../audit/audit-list.run.ts';
import { actionColumns } from '../actions/action-columns.ts';
import { commandPath } from '../command-line/command-tree.ts';
import { accountColumns } from '../access/accounts.run.ts';
import { grantColumns } from '../access/grants.run.ts';
import { tokenColumns } from '../access/tokens.run.ts';
import { driverColumns } from '../drivers/driver-hosts.page.ts';
import { changedHostColumns, eventColumns, hostEventColumns } from '../events/event-columns.ts';
import { hostDiffColumns } from '../hosts/host-diff.run.ts';
import { hostPastColumns } from '../hosts/host-past.run.ts';
import { kmodPastColumns } from '../kmods/kmod-past.run.ts';
import { hostColumns } from '../hosts/hosts-list.run.ts';
import { joinTokenColumns } from '../join-tokens/join-tokens.run.ts';
import { knownColumns } from '../kmods/kmod-host-columns.ts';
import { liveColumns } from '../kmods/kmod-live.page.ts';
import { skewColumns, variantColumns } from '../kmods/skew-columns.ts';
import { fleetColumns, hostKmodColumns } from '../kmods/kmods-list.run.ts';
import { noteColumns } from '../rollouts/follow/show.run.ts';
import { rolloutColumns, rolloutTargetColumns } from '../rollouts/follow/rollout-columns.ts';
import { planColumns, planTargetColumns } from '../rollouts/plan/plan-columns.ts';
import { sessionColumns } from '../sign-in/sessions.run.ts';
import { TOPICS } from './topics.ts';

const INTRO = `# The command modfleet

Made from the command's own help by its tests; to write it anew: \`npx vitest run --project unit services/cli/src/help -u\`.

Data goes to stdout, talk to stderr. On a terminal lists are tables; in a pipe they are lines of tab-separated cells without a
head, uncut, with whole ids and ISO times. \`--json FIELDS\` prints JSON; \`--json\` alone lists the fields.
What hosts and people wrote is shown with control characters as \`\\xNN\` and invisible or reordering ones (U+202E) as \`\\uNNNN\`, in JSON as JSON escapes them.
`;

/** docs/cli.md, whole. */
export function renderReference(program: Command): string {
  return [
    INTRO,
    '## Commands\n',
    ...leaves(program).map((command) => `### ${commandPath(command)}\n\n${fence(command.helpInformation())}`),
    '## Columns in a pipe\n',
    'New columns are only ever added at the end.\n',
    ...pipes().map(([command, heads]) => `- \`${command}\`: ${heads.join(', ').toLowerCase()}`),
    '',
    '## Topics\n',
    ...Object.entries(TOPICS).map(([name, text]) => `### ${name}\n\n${fence(text)}`),
  ].join('\n');
}

function leaves(command: Command): Command[] {
  const visible = command.commands.filter((each) => !each.name().startsWith('__'));
  return visible.length === 0 ? [command] : visible.flatMap(leaves);
}

function fence(text: string): string {
  return `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
}

function pipes(): [command: string, heads: string[]][] {
  const at = new Date(0);
  const lists: [string, readonly { readonly head: string }[]][] = [
    ['hosts list', hostColumns('')],
    ['hosts events', hostEventColumns(at, undefined)],
    ['events list, events watch', eventColumns(at, undefined)],
    ['events list --by-host', changedHostColumns(at, undefined)],
    ['hosts show --at', hostPastColumns()],
    ['hosts diff', hostDiffColumns('a', 'b')],
    ['kmods hosts', knownColumns()],
    ['kmods hosts --at', kmodPastColumns(at, undefined)],
    ['kmods hosts --live', liveColumns],
    ['kmods list', fleetColumns],
    ['kmods list --host', hostKmodColumns],
    ['kmods skew', skewColumns(at, undefined)],
    ['kmods skew NAME', variantColumns()],
    ['drivers hosts', driverColumns()],
    ['actions list, and commands about one action', actionColumns(at, undefined)],
    ['rollouts list, and commands about one rollout', rolloutColumns(at, undefined)],
    ['rollouts show --targets', rolloutTargetColumns],
    ['rollouts show --notes', noteColumns(at, undefined)],
    ['rollouts list-plans', planColumns(at, undefined)],
    ['rollouts show-plan --targets', planTargetColumns],
    ['join-tokens list', joinTokenColumns(at, undefined)],
    ['accounts list', accountColumns(at, undefined)],
    ['grants list', grantColumns(at, undefined)],
    ['tokens list', tokenColumns(at, undefined)],
    ['sessions list', sessionColumns(at, undefined)],
    ['audit list', auditColumns(at, undefined)],
  ];
  return lists.map(([command, columns]) => [command, columns.map((column) => column.head)]);
}
