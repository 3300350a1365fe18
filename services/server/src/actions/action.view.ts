import { compareText } from '@modfleet/proto';
import type { ActionItem, StoredAction, StoredResult } from './action.model.ts';
import { canReturn, describe } from './action.message.ts';

/** An action as the API shows it. */
export function toItem(action: StoredAction): ActionItem {
  return {
    id: action.id,
    host: { id: action.hostId, name: action.hostName },
    verb: action.verb,
    kmod: action.kmod,
    parameters: toRecord(action.parameters),
    dryRun: action.dryRun,
    reason: action.reason,
    requestedBy: action.requestedBy,
    createdAt: action.createdAt.toISOString(),
    expiresAt: action.expiresAt.toISOString(),
    confirmWindow: action.confirmWindowSeconds === 0 ? null : action.confirmWindowSeconds,
    overrides: [...action.overrides],
    confirm:
      action.confirmWindowSeconds === 0
        ? null
        : {
            deadline: action.confirmDeadline?.toISOString() ?? null,
            offeredAt: action.confirmOfferedAt?.toISOString() ?? null,
            offeredTo: action.confirmPeer,
          },
    state: action.state,
    outcome: action.outcome,
    resolvedOutcome: action.resolvedOutcome,
    message: describe(action),
    verdict: action.verdict,
    result: action.result === null ? null : latest(action.result),
    canReturn: canReturn(action),
    timeline: action.timeline.map(({ at, state, outcome, note }) => ({ at: at.toISOString(), state, outcome, note })),
    version: action.version,
  };
}

/** `name=value` lines, sorted by name, as a host gets them. */
export function toParameters(record: Readonly<Record<string, string>>): string[] {
  return Object.entries(record)
    .map(([name, value]) => `${name}=${value}`)
    .sort(compareText);
}

/** What {@link toParameters} was given. */
export function toRecord(parameters: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    parameters.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Without what a late report replaced: the timeline shows both outcomes, the row keeps both results. */
function latest({ earlier: _earlier, ...result }: StoredResult): Omit<StoredResult, 'earlier'> {
  return result;
}
