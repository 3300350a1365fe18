import { effectiveOptions, type GivenOptions } from './engine/options.ts';
import type { RolloutOptions } from './engine/rollout.model.ts';
import { placed } from './engine/waves.ts';
import { isRetried } from './plan/plan.rules.ts';
import type { NewTargetRow, PlannedHostRow } from './rollout-create.queries.ts';

/** A rollout before it is stored. */
export interface DraftedRollout {
  readonly options: RolloutOptions;
  /** Hosts of each wave. */
  readonly sizes: readonly number[];
  readonly targets: readonly NewTargetRow[];
  /** Hosts that something is sent to. */
  readonly runnable: number;
}

/**
 * Places the hosts of a plan in waves. Pure, but for a seed that nobody gave. What the plan calls refused, for a reason that does not pass by itself, has ended with
 * that: it is in the last wave and counts in no share. Tried again, everybody is sent something: that they refused is why.
 */
export function drafted(hosts: readonly PlannedHostRow[], given: GivenOptions, again: boolean): DraftedRollout {
  const isOut = (host: PlannedHostRow): boolean =>
    host.standing === 'refused' && !isRetried(host.code) && (!again || NEVER.includes(host.code));
  const refused = hosts.filter(isOut);
  const runnable = hosts.filter((host) => !isOut(host));
  const options = effectiveOptions(given, runnable.length);
  const { targets, sizes } = placed(runnable.map(toPlaced), options);
  const last = Math.max(0, sizes.length - 1);
  const rows = targets.map(({ host, position, wave }) => ({ ...pendingRow(host.row), position, wave }));
  const ended = refused.map((host, at) => ({ ...endedRow(host), position: rows.length + at, wave: last }));
  const all = sizes.map((size, at) => (at === last ? size + refused.length : size));
  return { options, sizes: all, targets: [...rows, ...ended], runnable: runnable.length };
}

/** Nothing is sent to these, however often somebody asks. */
const NEVER: readonly string[] = ['forbidden', 'host_revoked', 'host_quarantined'];

function toPlaced(row: PlannedHostRow) {
  return {
    hostId: row.host_id,
    name: row.name,
    kernelRelease: row.kernel_release,
    hardware: row.hardware,
    labels: row.labels,
    row,
  };
}

function pendingRow(row: PlannedHostRow) {
  const late = row.standing === 'unknown';
  return {
    host_id: row.host_id,
    class: row.class,
    late,
    state: 'pending' as const,
    outcome: null,
    code: '',
    message: '',
  };
}

function endedRow({ host_id, code, message }: PlannedHostRow) {
  return { host_id, class: null, late: false, state: 'ended' as const, outcome: 'refused' as const, code, message };
}
