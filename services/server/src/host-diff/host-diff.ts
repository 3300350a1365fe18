/**
 * In what two hosts differ. Only what both have reported is compared: what one of them did not say is no difference.
 */
import type { ConfigFacet } from '@modfleet/proto';
import type { HostDiff } from '../api-types.ts';
import { kmodStateWord, orNull, rungWordOf } from '../http/facet-words.ts';
import type { DeviceRow } from '../hosts/host-inventory.queries.ts';
import type { ParametersByKmod } from '../hosts/host-inventory.mapper.ts';
import type { LoadedEntries, LoadedEntry } from '../ingest/loaded-diff.ts';

/** What one host says; undefined: it has never reported that facet. */
export interface HostSide {
  readonly kernel: Readonly<Record<KernelField, string>>;
  readonly loaded: LoadedEntries | undefined;
  readonly parameters: ParametersByKmod | undefined;
  readonly config: ConfigFacet | undefined;
  readonly devices: readonly DeviceRow[] | undefined;
}

export const KERNEL_FIELDS = ['kernelRelease', 'architecture', 'os', 'osVersion'] as const;
export type KernelField = (typeof KERNEL_FIELDS)[number];

type Differences = Pick<HostDiff, 'kernel' | 'kmods' | 'parameters' | 'config' | 'devices'>;
type KmodSide = NonNullable<NonNullable<Differences['kmods']>[number]['a']>;
type KmodField = NonNullable<Differences['kmods']>[number]['differs'][number];

/** Whether a kmod is being loaded or unloaded at the moment is no difference between hosts. */
const KMOD_FIELDS = ['buildId', 'size', 'taint', 'version', 'srcversion'] as const satisfies readonly KmodField[];

export function diffHosts(a: HostSide, b: HostSide): Differences {
  return {
    kernel: KERNEL_FIELDS.filter((field) => a.kernel[field] !== b.kernel[field]).map((field) => ({
      field,
      a: orNull(a.kernel[field]),
      b: orNull(b.kernel[field]),
    })),
    kmods: ofBoth(a.loaded, b.loaded, diffKmods),
    parameters: ofBoth(a.parameters, b.parameters, diffParameters),
    config: ofBoth(a.config, b.config, diffConfig),
    devices: ofBoth(a.devices, b.devices, diffDevices),
  };
}

function ofBoth<T, D>(a: T | undefined, b: T | undefined, diff: (a: T, b: T) => D): D | null {
  return a === undefined || b === undefined ? null : diff(a, b);
}

function diffKmods(a: LoadedEntries, b: LoadedEntries): NonNullable<Differences['kmods']> {
  return keysOfBoth(Object.keys(a), Object.keys(b)).flatMap((name) => {
    const [left, right] = [a[name], b[name]];
    const differs = left && right ? KMOD_FIELDS.filter((field) => left[field] !== right[field]) : [];
    if (left && right && differs.length === 0) return [];
    return [{ name, a: toSide(left), b: toSide(right), differs }];
  });
}

function toSide(entry: LoadedEntry | undefined): KmodSide | null {
  if (entry === undefined) return null;
  const { size, taint } = entry;
  return {
    buildId: orNull(entry.buildId),
    size,
    taint,
    version: orNull(entry.version),
    srcversion: orNull(entry.srcversion),
    state: kmodStateWord(entry.state),
  };
}

/** Of kmods that both have parameters of: what a kmod that only one has loaded is set to, is told by the kmod alone. */
function diffParameters(a: ParametersByKmod, b: ParametersByKmod): NonNullable<Differences['parameters']> {
  return [...a.keys()]
    .filter((kmod) => b.has(kmod))
    .flatMap((kmod) => {
      const [left, right] = [a.get(kmod) ?? {}, b.get(kmod) ?? {}];
      return keysOfBoth(Object.keys(left), Object.keys(right))
        .filter((name) => left[name] !== right[name])
        .map((parameter) => ({ kmod, parameter, a: left[parameter] ?? null, b: right[parameter] ?? null }));
    });
}

/** Lines by what they say, wherever they stand: the same line in another file does the same. */
function diffConfig(a: ConfigFacet, b: ConfigFacet): NonNullable<Differences['config']> {
  const [left, right] = [settingsOf(a), settingsOf(b)];
  const settings = keysOfBoth([...left.settings.keys()], [...right.settings.keys()])
    .filter((what) => left.settings.get(what) !== right.settings.get(what))
    .map((what) => ({ what, a: left.settings.get(what) ?? null, b: right.settings.get(what) ?? null }));
  const lines = keysOfBoth([...left.lines.keys()], [...right.lines.keys()])
    .filter((line) => left.lines.has(line) !== right.lines.has(line))
    .map((what) => ({ what, a: left.lines.get(what) ?? null, b: right.lines.get(what) ?? null }));
  return [...settings, ...lines];
}

interface Settings {
  readonly settings: ReadonlyMap<string, string>;
  /** Where it stands, by what it says. */
  readonly lines: ReadonlyMap<string, string>;
}

function settingsOf(config: ConfigFacet): Settings {
  const settings = new Map<string, string>();
  const set = (what: string, value: string | boolean | undefined): void => {
    if (value !== undefined) settings.set(what, String(value));
  };
  set('kernel command line', config.kernelCmdline);
  set('kernel.modules_disabled', config.modulesDisabled);
  set('lockdown', config.lockdown);
  set('module.sig_enforce', config.sigEnforce);
  set('Secure Boot', config.secureBoot);
  const lines = new Map<string, string>();
  for (const { keyword, arguments: rest, file, line } of config.modprobe)
    lines.set(`modprobe.d: ${keyword} ${rest}`, `${file}:${line}`);
  for (const { name, file, line } of config.modulesLoad) lines.set(`modules-load.d: ${name}`, `${file}:${line}`);
  for (const { kmod, rung, file, line } of config.blocks)
    lines.set(`blocked: ${kmod === '' ? 'every kmod' : kmod} (${rungWordOf(rung)})`, `${file}:${line}`);
  return { settings, lines };
}

/** By their place on the bus; the same place with another device, or another driver, differs. */
function diffDevices(a: readonly DeviceRow[], b: readonly DeviceRow[]): NonNullable<Differences['devices']> {
  const byPlace = (rows: readonly DeviceRow[]): Map<string, DeviceRow> =>
    new Map(rows.map((row) => [JSON.stringify([row.bus, row.address]), row]));
  const [left, right] = [byPlace(a), byPlace(b)];
  return keysOfBoth([...left.keys()], [...right.keys()]).flatMap((place) => {
    const [one, other] = [left.get(place), right.get(place)];
    if (one && other && one.modalias === other.modalias && one.driver === other.driver && one.kmod === other.kmod)
      return [];
    const { bus = '', address = '' } = one ?? other ?? {};
    return [{ bus, address, a: toDevice(one), b: toDevice(other) }];
  });
}

function toDevice(row: DeviceRow | undefined): NonNullable<Differences['devices']>[number]['a'] {
  if (row === undefined) return null;
  const { modalias, driver, builtin, names } = row;
  return { modalias, driver, kmod: orNull(row.kmod), builtin, names };
}

function keysOfBoth(a: readonly string[], b: readonly string[]): string[] {
  return [...new Set([...a, ...b])].sort();
}
