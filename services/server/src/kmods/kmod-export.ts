import type { KmodHost, KmodListItem } from '../api-types.ts';
import type { ExportColumns } from '../exports/export-shape.ts';

export const KMOD_EXPORT: ExportColumns<KmodListItem> = [
  ['name', (kmod) => kmod.name],
  ['counts.loaded', (kmod) => kmod.counts.loaded],
  ['counts.builtin', (kmod) => kmod.counts.builtin],
  ['counts.onDisk', (kmod) => kmod.counts.onDisk],
  ['lastSeen.loaded', (kmod) => kmod.lastSeen.loaded],
  ['lastSeen.builtin', (kmod) => kmod.lastSeen.builtin],
  ['lastSeen.onDisk', (kmod) => kmod.lastSeen.onDisk],
];

export const KMOD_HOST_EXPORT: ExportColumns<KmodHost> = [
  ['host.id', (row) => row.host.id],
  ['host.name', (row) => row.host.name],
  ['presence', (row) => row.presence],
  ['known', (row) => row.known],
  ['coverage', (row) => row.coverage],
  ['observedAt', (row) => row.observedAt],
  ['reason', (row) => row.reason],
  ['kernelRelease', (row) => row.kernelRelease],
  ['loaded.buildId', (row) => row.loaded?.buildId],
  ['loaded.size', (row) => row.loaded?.size],
  ['loaded.taint', (row) => row.loaded?.taint],
  ['loaded.version', (row) => row.loaded?.version],
  ['loaded.srcversion', (row) => row.loaded?.srcversion],
  ['loaded.state', (row) => row.loaded?.state],
  ['fileDiffers', (row) => row.fileDiffers],
  ['blocked', (row) => row.blocked],
  ['blocks', (row) => row.blocks.map(({ rung, file, line }) => `${rung} ${file}:${line}`).join('; ')],
  ['devices', (row) => row.devices.map(({ bus, address, driver }) => `${bus}/${address} ${driver}`).join('; ')],
];
