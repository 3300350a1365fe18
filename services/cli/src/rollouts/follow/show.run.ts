import type {
  Rollout,
  RolloutList,
  RolloutNoteList,
  RolloutStateWord,
  RolloutTargetList,
  RolloutTargetOutcomeWord,
  RolloutTargetStateWord,
} from '@modfleet/server/api-types';
import { path } from '../../api/api.ts';
import { fetchPages } from '../../api/pages.ts';
import type { ListOptions } from '../../command-line/options.ts';
import type { Context } from '../../context.ts';
import { usageError } from '../../errors/cli-error.ts';
import { EXIT, type ExitCode } from '../../errors/exit-codes.ts';
import { jsonFields, type JsonOption } from '../../output/json-fields.ts';
import { printList } from '../../output/list.ts';
import { noteFreeze } from '../../output/page.ts';
import type { Column } from '../../output/table.ts';
import { exactClock } from '../../output/time.ts';
import { exitOfRollout } from './exit-status.ts';
import { rolloutColumns, rolloutTargetColumns } from './rollout-columns.ts';
import { printRollout, rolloutFields } from './rollout-output.ts';
import { watchRollout } from './watch.ts';

export interface RolloutsListOptions extends ListOptions {
  readonly state?: RolloutStateWord;
}

export interface RolloutShowOptions extends ListOptions {
  readonly targets?: boolean;
  readonly notes?: boolean;
  readonly state?: RolloutTargetStateWord;
  readonly outcome?: RolloutTargetOutcomeWord;
  /** From 0, as everywhere. */
  readonly wave?: number;
  readonly unhealthy?: boolean;
}

export interface RolloutWatchOptions {
  readonly exitStatus?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly json?: JsonOption;
}

const LIST_FIELDS = [
  'id',
  'state',
  'verb',
  'kmod',
  'selector',
  'requestedBy',
  'createdAt',
  'endedAt',
  'hosts',
  'ended',
  'asAsked',
] as const;

const TARGET_FIELDS = [
  'host',
  'wave',
  'state',
  'wait',
  'outcome',
  'resolvedOutcome',
  'late',
  'code',
  'message',
  'evidence',
  'attempts',
  'action',
  'health',
  'healthSeen',
  'rollback',
  'startedAt',
  'endedAt',
] as const;

/** `modfleet rollouts list`. */
export async function rolloutsList(context: Context, options: RolloutsListOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, LIST_FIELDS);
  const api = context.api();
  const { state } = options;
  const answer = await fetchPages<RolloutList>((page) => api.get('/rollouts', { state, ...page }), options);
  await printList(io, answer, {
    fields,
    columns: rolloutColumns(io.now(), io.timeZone),
    none:
      state === undefined
        ? 'There is no rollout yet. It begins with a plan: modfleet rollouts plan --help'
        : 'No rollout is so.',
  });
  return EXIT.ok;
}

/** `modfleet rollouts show ID`; what narrows its hosts lists them. */
export async function rolloutShow(context: Context, id: string, options: RolloutShowOptions): Promise<ExitCode> {
  const { state, outcome, wave, unhealthy } = options;
  const ofTargets = options.targets || [state, outcome, wave, unhealthy].some((filter) => filter !== undefined);
  if (options.notes && ofTargets) throw usageError('--notes is another list than that of the hosts: take one');
  if (options.notes) return notes(context, id, options);
  if (ofTargets) return targets(context, id, options);
  if (options.limit !== undefined || options.allPages)
    throw usageError('--limit and --all-pages are for the hosts of a rollout', 'list them: add --targets');
  const fields = rolloutFields(options.json);
  const rollout = await context.api().get<Rollout>(path`/rollouts/${id}`, {}, { rollout: id });
  noteFreeze(rollout.freeze, context.io);
  printRollout(rollout, fields, context.io);
  return EXIT.ok;
}

async function targets(context: Context, id: string, options: RolloutShowOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = jsonFields(options.json, TARGET_FIELDS);
  const api = context.api();
  const { state, outcome, wave, unhealthy } = options;
  const query = { state, outcome, wave, unhealthy };
  const answer = await fetchPages<RolloutTargetList>(
    (page) => api.get(path`/rollouts/${id}/targets`, { ...query, ...page }, { rollout: id }),
    options,
  );
  await printList(io, answer, { fields, columns: rolloutTargetColumns, none: 'No host of the rollout is so.' });
  return EXIT.ok;
}

type Note = RolloutNoteList['items'][number];

/** The timeline. The order of raw cells is part of the command's contract (docs/cli.md). */
export function noteColumns(now: Date, timeZone: string | undefined): Column<Note>[] {
  return [
    { head: 'AT', cell: (row) => exactClock(row.at, now, timeZone), raw: (row) => row.at },
    { head: 'WHAT', cell: (row) => row.text },
  ];
}

async function notes(context: Context, id: string, options: RolloutShowOptions): Promise<ExitCode> {
  if (options.limit !== undefined || options.allPages)
    throw usageError('--notes gives the whole timeline: leave out --limit and --all-pages');
  const { io } = context;
  const fields = jsonFields(options.json, ['at', 'text'] as const);
  const answer = await context.api().get<RolloutNoteList>(path`/rollouts/${id}/notes`, {}, { rollout: id });
  const columns = noteColumns(io.now(), io.timeZone);
  await printList(io, { ...answer, nextCursor: null }, { fields, columns, none: 'Nothing is on record yet.' });
  return EXIT.ok;
}

/** `modfleet rollouts watch ID`. */
export async function rolloutWatch(context: Context, id: string, options: RolloutWatchOptions): Promise<ExitCode> {
  const { io } = context;
  const fields = rolloutFields(options.json);
  return followToEnd(context, id, options, (rollout) => printRollout(rollout, fields, io));
}

/** Follows a rollout, prints how it stands at the end of that, and says with which status the command ends. */
export async function followToEnd(
  context: Context,
  id: string,
  { timeout, exitStatus }: RolloutWatchOptions,
  print: (rollout: Rollout) => void,
): Promise<ExitCode> {
  const { io } = context;
  const rollout = await watchRollout(context.api(), io, id, timeout);
  if ('freeze' in rollout) noteFreeze(rollout.freeze, io);
  print(rollout as Rollout);
  return exitStatus ? exitOfRollout(rollout) : EXIT.ok;
}
