import type { ChangedHost, KmodEvent } from '../api-types.ts';
import type { ChangedHostRow, EventRow } from './event-list.queries.ts';
import { eventKindWord } from './event-words.ts';

/** None for an event of a kind that this version has no word for. */
export function toEvents(rows: readonly EventRow[]): KmodEvent[] {
  return rows.flatMap((row) => {
    const kind = eventKindWord(row.kind);
    if (kind === undefined) return [];
    return [
      {
        id: row.id,
        at: row.at.toISOString(),
        host: { id: row.host_id, name: row.host_name },
        kmod: row.kmod,
        kind,
        actionId: row.action_id,
        source: row.source,
        detail: row.detail as KmodEvent['detail'],
      },
    ];
  });
}

export function toChangedHost(row: ChangedHostRow): ChangedHost {
  return {
    host: { id: row.host_id, name: row.host_name },
    events: row.events,
    loaded: row.loaded,
    unloaded: row.unloaded,
    changed: row.changed,
    byActions: row.by_actions,
    kmods: row.kmods,
    kmodCount: row.kmod_count,
    firstAt: row.first_at.toISOString(),
    lastAt: row.last_at.toISOString(),
  };
}
