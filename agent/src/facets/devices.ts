import path from 'node:path';
import { Facet, type Device } from '@modfleet/proto';
import type { HostFiles } from '../host/host-files.ts';
import { valueOf, whyUnreadable } from '../host/read-outcome.ts';
import { kernelName } from '../kmod/kernel-name.ts';
import { mapLimited, READ_WIDTH, type Observation } from './observation.ts';

const BUSES = '/sys/bus';

/** Buses whose members are parts of the machine or of the kernel, by the hundred on large ones, that no kmod drives as a device. */
const NO_DEVICE_BUSES = new Set([
  'clockevents',
  'clocksource',
  'container',
  'cpu',
  'event_source',
  'memory',
  'memory_tiering',
  'node',
  'workqueue',
]);

/** Where network interfaces and whole disks stand. */
const NAME_FOLDERS = ['/sys/class/net', '/sys/block'] as const;

interface Found {
  readonly device: Device;
  /** Its folder below /sys/devices, with all links resolved. */
  readonly real: string;
}

/** What drives a device: kmod is empty for code built in. */
interface DriverCode {
  readonly kmod: string;
}

/**
 * Observes the facet `devices`: every member of a bus that has a modalias or a driver. A driver whose code is no loaded kmod (no `module`
 * link, or a link to a folder without `initstate`) is built in.
 */
export async function observeDevices(files: HostFiles): Promise<Observation<Facet.FACET_DEVICES>> {
  const buses = await files.list(BUSES);
  if (buses.kind !== 'ok') return { kind: 'incapable', reason: whyUnreadable(BUSES, buses) };
  const drivers = new DriverCodes(files);
  const found: Found[] = [];
  for (const bus of buses.value.map((entry) => entry.name)) {
    if (NO_DEVICE_BUSES.has(bus)) continue;
    const members = await files.list(`${BUSES}/${bus}/devices`);
    if (members.kind === 'not_found') continue;
    if (members.kind !== 'ok') return { kind: 'incapable', reason: whyUnreadable(`${BUSES}/${bus}/devices`, members) };
    const looked = await mapLimited(members.value, READ_WIDTH, (member) => lookAt(files, drivers, bus, member.name));
    found.push(...looked.filter((device) => device !== undefined));
  }
  const names = await namesByFolder(files);
  const devices = found.map(({ device, real }) => ({ ...device, names: namesBelow(names, real) }));
  return { kind: 'value', value: { devices } };
}

/**
 * By the driver's link and the attribute `modalias`. Not by `uevent`: reading that takes the device's lock, which a driver's probe that hangs
 * holds for ever (drivers/base/core.c: uevent_show).
 */
async function lookAt(
  files: HostFiles,
  drivers: DriverCodes,
  bus: string,
  address: string,
): Promise<Found | undefined> {
  const member = `${BUSES}/${bus}/devices/${address}`;
  // Members are links to /sys/devices, which has no links to folders: their target is the real folder.
  const link = valueOf(await files.readLink(member));
  const folder = link === undefined ? member : path.posix.resolve(`${BUSES}/${bus}/devices`, link);
  const driver = baseName(valueOf(await files.readLink(`${folder}/driver`)));
  const modalias = valueOf(await files.readText(`${folder}/modalias`))?.trim() ?? '';
  if (modalias === '' && driver === undefined) return undefined;
  const code = driver === undefined ? undefined : await drivers.of(bus, driver);
  return {
    device: {
      bus,
      address,
      modalias,
      // A slash in a driver's name is a "!" in sysfs.
      driver: driver?.replaceAll('!', '/') ?? '',
      kmod: code?.kmod ?? '',
      builtin: code?.kmod === '',
      names: [],
    },
    real: folder,
  };
}

/** Which kmod each driver's code is in; each driver is looked at once. */
class DriverCodes {
  readonly #files: HostFiles;
  readonly #known = new Map<string, Promise<DriverCode>>();

  constructor(files: HostFiles) {
    this.#files = files;
  }

  of(bus: string, driver: string): Promise<DriverCode> {
    const key = `${bus}/${driver}`;
    const known = this.#known.get(key) ?? this.#look(bus, driver);
    this.#known.set(key, known);
    return known;
  }

  async #look(bus: string, driver: string): Promise<DriverCode> {
    const link = await this.#files.readLink(`${BUSES}/${bus}/drivers/${driver}/module`);
    const name = baseName(valueOf(link));
    if (name === undefined) return { kmod: '' };
    const state = await this.#files.stat(`/sys/module/${name}/initstate`);
    return { kmod: state.kind === 'not_found' ? '' : kernelName(name) };
  }
}

/** Real folder of each network interface and whole disk, with its name. */
async function namesByFolder(files: HostFiles): Promise<[real: string, name: string][]> {
  const found: [string, string][] = [];
  for (const folder of NAME_FOLDERS) {
    for (const entry of valueOf(await files.list(folder)) ?? []) {
      const link = valueOf(await files.readLink(`${folder}/${entry.name}`));
      const real = link === undefined ? undefined : path.posix.resolve(folder, link);
      if (real !== undefined && !real.includes('/devices/virtual/')) found.push([real, entry.name]);
    }
  }
  return found;
}

function namesBelow(names: readonly (readonly [real: string, name: string])[], real: string): string[] {
  return names.filter(([folder]) => folder.startsWith(`${real}/`)).map(([, name]) => name);
}

function baseName(path: string | undefined): string | undefined {
  return path?.slice(path.lastIndexOf('/') + 1);
}
