import type { KmodEvent } from '../api-types.ts';
import type { ExportColumns } from '../exports/export-shape.ts';

export const EVENT_EXPORT: ExportColumns<KmodEvent> = [
  ['id', (event) => event.id],
  ['at', (event) => event.at],
  ['host.id', (event) => event.host.id],
  ['host.name', (event) => event.host.name],
  ['kmod', (event) => event.kmod],
  ['kind', (event) => event.kind],
  ['actionId', (event) => event.actionId],
  ['source', (event) => event.source],
  ['detail', (event) => (event.detail === null ? null : JSON.stringify(event.detail))],
];
