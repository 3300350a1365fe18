import type { z } from 'zod';
import type { alarmSchema } from '../http/common.schema.ts';
import type { CommandStopRow } from './command-stop.queries.ts';

const WAY_OUT =
  'Nothing is sent to any host and no action is accepted until somebody runs "modfleet-server epoch raise" on the server\'s machine; all else goes on';

/** What every surface says of a stop; null when none holds. Pure. */
export function alarmOf(row: CommandStopRow): z.output<typeof alarmSchema> | null {
  if (row.at === null) return null;
  const at = row.at.toISOString();
  const { host_id: id, host_epoch: epoch, host_sequence: sequence, host_action_id: actionId } = row;
  if (row.why !== 'restored' || id === null || epoch === null || sequence === null || actionId === null) {
    const message = `An epoch raise was begun and has not ended. ${WAY_OUT}`;
    return { code: 'epoch_raise_unfinished', at, message, host: null, taken: null, known: null };
  }
  const known = { epoch: row.known_epoch ?? 0, sequence: row.known_sequence ?? 0 };
  const name = row.host_name ?? id;
  const message =
    `Host ${name} (${id}) has taken command ${sequence} of epoch ${epoch} (action ${actionId}), and here ${knownWords(known, epoch)}: ` +
    `the database, or the keys folder, was put back from a backup. ${WAY_OUT}`;
  return { code: 'database_behind', at, message, host: { id, name }, taken: { epoch, sequence, actionId }, known };
}

function knownWords(known: { readonly epoch: number; readonly sequence: number }, epoch: number): string {
  if (known.epoch < epoch) return `the epoch is ${known.epoch}`;
  return `the newest command for it is ${known.sequence} of epoch ${known.epoch}`;
}
