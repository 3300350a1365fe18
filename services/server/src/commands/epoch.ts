import { join } from 'node:path';
import { ActionRepository } from '../actions/action.repository.ts';
import { AccessRepository } from '../access/access.repository.ts';
import { openKeptKeys } from '../keys/kept-keys.ts';
import { localSource } from '../audit/audit-source.ts';
import { isRecorded } from '../audit/audit.queries.ts';
import { localAudit } from '../audit/local-audit.ts';
import { announceOnce } from '../bus/announce-once.ts';
import { type EpochState, epochState, type Raised, type RaiseParts, raiseEpoch } from '../command-stop/epoch-raise.ts';
import { alarmOf } from '../command-stop/command-stop.words.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { DatabaseService } from '../database/database.service.ts';
import { migrate } from '../database/migrate.ts';
import { requireKeptKeys } from '../keys/kept-keys.ts';
import { EpochFile } from '../signing/epoch-file.ts';
import { parsed } from './arguments.ts';
import { EPOCH_USAGE } from './epoch-usage.ts';
import { UsageError } from './usage-error.ts';

type Print = (line: string) => void;

/** The epoch of commands, on the server's own machine: it is a file beside the key. */
export async function epoch(
  config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase' | 'databaseUrl' | 'databaseDirectUrl' | 'dbPoolSize' | 'bus'>,
  args: readonly string[],
  print: Print,
): Promise<void> {
  const [verb, ...rest] = args;
  if (verb !== 'show' && verb !== 'raise')
    throw new UsageError(`${verb === undefined ? 'say what to do' : `there is no "epoch ${verb}"`}\n${EPOCH_USAGE}`);
  const options = { 'dry-run': { type: 'boolean', default: false } } as const;
  const { values } = parsed({ args: [...rest], options }, EPOCH_USAGE);
  const epochFile = new EpochFile(join(config.stateDir, 'keys'));
  requireKeptKeys(config.stateDir);
  // A database that was just put back may be of an older version.
  if (verb === 'raise') await migrate(config.databaseDirectUrl);
  const database = new DatabaseService(config);
  try {
    const state = await epochState({ database, epochFile });
    if (verb === 'show') show(state, epochFile.path, print);
    else await raise(state, { config, database, epochFile, isDryRun: values['dry-run'] }, print);
  } finally {
    await database.onApplicationShutdown();
  }
}

function show(state: EpochState, file: string, print: Print): void {
  print(`epoch ${state.epoch} (${file})`);
  const alarm = state.stop === undefined ? null : alarmOf(state.stop);
  print(alarm === null ? 'commands are sent and accepted' : `commands are stopped since ${alarm.at}. ${alarm.message}`);
  for (const { epoch: of, state: where, count } of state.open) {
    const which = of === 0 ? 'of before commands were signed' : `of epoch ${of}`;
    print(`${count} ${where} ${count === 1 ? 'action' : 'actions'} ${which}`);
  }
}

async function raise(
  state: EpochState,
  {
    config,
    database,
    epochFile,
    isDryRun,
  }: {
    config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase' | 'bus'>;
    database: DatabaseService;
    epochFile: EpochFile;
    isDryRun: boolean;
  },
  print: Print,
): Promise<void> {
  const open = state.open.reduce((sum, { count }) => sum + count, 0);
  print(
    'A new epoch of commands begins. Hosts that hear of it take nothing of an older one any more: not what was recorded, nor what',
  );
  print(
    `an older database would send again. ${open === 0 ? 'Every action has ended. One that has not' : `${open} ${open === 1 ? 'action has' : 'actions have'} not ended. Such an action`} is not sent again, and ends as`,
  );
  print(
    '"unconfirmed": it may have run, and a report of its host still says how it went. Inventory, sessions and tokens stay as they are.',
  );
  if (isDryRun) return print('Nothing was changed (--dry-run).');
  const raised = await raiseEpoch(await raiseParts(config, database, epochFile));
  for (const line of raisedLines(raised)) print(line);
}

/** What a raise takes, outside a server that runs. */
export async function raiseParts(
  config: Pick<ServerConfig, 'stateDir' | 'keyPassphrase' | 'bus'>,
  database: DatabaseService,
  epochFile: EpochFile,
): Promise<RaiseParts> {
  const actions = new ActionRepository(database, new AccessRepository(openKeptKeys(config)));
  const audit = await localAudit(config, database);
  return {
    database,
    epochFile,
    endAction: async (id, to) => void (await actions.apply(id, { kind: 'epoch_raised', to })),
    endUnread: (id, to) => actions.endUnread(id, to),
    record: (sql, { id, epoch: to }) =>
      audit.record(sql, localSource(), { what: 'epoch.raise', object: String(to), details: { id } }),
    isRecorded: (sql, id) => isRecorded(sql, 'epoch.raise', id),
    announce: (channel) => announceOnce(config, database).publish(channel, ''),
  };
}

export function raisedLines({ epoch: next, isStopped, ended, unread, left }: Raised): string[] {
  return [
    ...unread.map(({ id, why }) => `action ${id} ended without being read: ${why}`),
    ...left.map(({ id, why }) => `action ${id} could not be ended and is as it was: ${why}`),
    `epoch ${next}; ${ended} ${ended === 1 ? 'action' : 'actions'} ended as unconfirmed. ${isStopped ? 'Commands are stopped, see "modfleet-server epoch show".' : 'Commands are sent and accepted.'}`,
    ...(left.length === 0
      ? []
      : [
          `${left.length} of an older epoch ${left.length === 1 ? 'is' : 'are'} left: never sent again, but its host gets nothing new while such an action counts as under way. Mend the row (table action), then run this again.`,
        ]),
    ...(unread.length === 0
      ? []
      : ['Until such a row is mended (table action) lists of actions that would hold it answer with an error.']),
    ...(ended > unread.length ? ['see them: modfleet actions list --outcome unconfirmed'] : []),
  ];
}
