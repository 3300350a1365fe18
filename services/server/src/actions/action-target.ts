import { AppError } from '../errors/app-error.ts';
import type { TargetRow } from './action-target.queries.ts';

/**
 * The one host that an action is for. A silent host is fine: the action waits for it until it expires.
 *
 * @throws AppError host_not_found, host_ambiguous, host_retired, host_quarantined.
 */
export function chooseTarget(asked: string, rows: readonly TargetRow[]): TargetRow {
  const byId = rows.find((row) => row.id === asked.toLowerCase());
  const live = rows.filter((row) => row.retired_at === null);
  const [only, ...others] = byId === undefined ? live : [byId];
  if (others.length > 0 && only !== undefined) {
    const candidates = live.map((row) => row.id);
    throw new AppError('host_ambiguous', `${live.length} hosts are called ${quoted(asked)}; say which one by its id: ${candidates.join(', ')}`, { candidates });
  }
  const host = only ?? rows[0];
  if (host === undefined) throw new AppError('host_not_found', `no host has the id or name ${quoted(asked)}; "modfleet hosts list" shows them`);
  if (host.retired_at !== null) {
    throw new AppError('host_retired', `${host.name} (${host.id}) was retired at ${host.retired_at.toISOString()}: nothing is sent to it any more`);
  }
  if (host.quarantined_at !== null) {
    const reason = host.quarantine_reason === null ? '' : ` (${host.quarantine_reason})`;
    throw new AppError('host_quarantined', `${host.name} (${host.id}) is quarantined${reason}: it may report, but nothing is sent to it`);
  }
  return host;
}

function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
