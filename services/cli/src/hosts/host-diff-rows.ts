import type { HostDiff } from '@modfleet/server/api-types';

/** One thing that differs. */
export interface DiffRow {
  readonly section: 'kernel' | 'kmods' | 'parameters' | 'config' | 'devices';
  readonly what: string;
  /** Null: not there. */
  readonly a: string | null;
  readonly b: string | null;
  /** A kmod that differs only in what another kernel's build has of its own. When both run the same kernel, none does: then it is news. */
  readonly otherBuild: boolean;
}

type Kmod = NonNullable<HostDiff['kmods']>[number];
type Device = NonNullable<HostDiff['devices']>[number]['a'];

const KERNEL_WORDS: Readonly<Record<HostDiff['kernel'][number]['field'], string>> = {
  kernelRelease: 'kernel',
  architecture: 'architecture',
  os: 'system',
  osVersion: 'system version',
};

/** What another build of the same source naturally has of its own. */
const OF_BUILD = new Set<Kmod['differs'][number]>(['buildId', 'size', 'srcversion']);

/** Everything that differs, part by part. */
export function diffRows(diff: HostDiff): DiffRow[] {
  const otherKernel = diff.kernel.some(({ field }) => field === 'kernelRelease');
  const row = (section: DiffRow['section'], what: string, a: string | null, b: string | null): DiffRow => ({
    section,
    what,
    a,
    b,
    otherBuild: false,
  });
  return [
    ...diff.kernel.map(({ field, a, b }) => row('kernel', KERNEL_WORDS[field], a, b)),
    ...(diff.kmods ?? []).map((kmod) => ({
      ...row('kmods', kmod.name, kmodText(kmod, kmod.a), kmodText(kmod, kmod.b)),
      otherBuild: otherKernel && kmod.differs.length > 0 && kmod.differs.every((field) => OF_BUILD.has(field)),
    })),
    ...(diff.parameters ?? []).map(({ kmod, parameter, a, b }) => row('parameters', `${kmod}.${parameter}`, a, b)),
    ...(diff.config ?? []).map(({ what, a, b }) => row('config', what, a, b)),
    ...(diff.devices ?? []).map(({ bus, address, a, b }) =>
      row('devices', `${bus} ${address}`, deviceText(a), deviceText(b)),
    ),
  ];
}

function kmodText({ differs }: Kmod, side: Kmod['a']): string | null {
  if (side === null) return null;
  if (differs.length === 0) return 'loaded';
  return differs.map((field) => `${FIELD_WORDS[field]} ${valueOf(side, field)}`).join(', ');
}

const FIELD_WORDS: Readonly<Record<Kmod['differs'][number], string>> = {
  buildId: 'build',
  size: 'size',
  taint: 'taint',
  version: 'version',
  srcversion: 'srcversion',
};

function valueOf(side: NonNullable<Kmod['a']>, field: Kmod['differs'][number]): string {
  const value = side[field];
  return value === null || value === '' ? 'none' : String(value);
}

function deviceText(device: Device): string | null {
  if (device === null) return null;
  const driver = device.driver === '' ? 'no driver' : device.builtin ? `${device.driver} (built in)` : device.driver;
  return [driver, ...device.names].join(' ');
}
