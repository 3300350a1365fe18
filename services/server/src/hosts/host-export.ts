import type { HostSummary } from '../api-types.ts';
import type { ExportColumns } from '../exports/export-shape.ts';

export const HOST_EXPORT: ExportColumns<HostSummary> = [
  ['id', (host) => host.id],
  ['name', (host) => host.name],
  ['labels', (host) => labelsText(host.labels)],
  ['mode', (host) => host.mode],
  ['connection', (host) => host.connection],
  ['lastSeenAt', (host) => host.lastSeenAt],
  ['kernelRelease', (host) => host.kernelRelease],
  ['os', (host) => host.os],
  ['architecture', (host) => host.architecture],
  ['agentVersion', (host) => host.agentVersion],
  ['coverage.loaded', (host) => host.coverage.loaded],
  ['coverage.parameters', (host) => host.coverage.parameters],
  ['coverage.available', (host) => host.coverage.available],
  ['coverage.devices', (host) => host.coverage.devices],
  ['coverage.config', (host) => host.coverage.config],
  ['quarantineReason', (host) => host.quarantineReason],
  ['retiredAt', (host) => host.retiredAt],
  ['revokedAt', (host) => host.revokedAt],
  ['caTrust', (host) => host.caTrust],
];

/** "env=prod,role=db": neither sign is in a label. */
function labelsText(labels: HostSummary['labels']): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}
