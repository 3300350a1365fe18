import type { ConfigFacet, Device, DevicesFacet } from '@modfleet/proto';
import { rungWord, stateWord } from './inspect-json.ts';
import type { HostReport } from './host-report.ts';
import { counted, printable, textTable } from './text-table.ts';

/** Every facet for a person: one line each, then what is loaded, what drives the devices, and what is blocked. */
export function inspectText(report: HostReport): string {
  const host = [report.hostname ?? 'unknown host', report.os, `kernel ${report.kernelRelease ?? 'unknown'}`];
  const summary = textTable([
    ['host', host.filter((part) => part !== undefined).join(', ')],
    ['loaded', loadedLine(report)],
    ['parameters', parametersLine(report)],
    ['available', availableLine(report)],
    ['devices', devicesLine(report)],
    ['config', configLine(report)],
  ]);
  const sections = [loadedSection(report), devicesSection(report), blocksSection(report), unreadableSection(report)];
  return `${[summary, ...sections.filter((section) => section !== undefined)].join('\n\n')}\n`;
}

function loadedLine({ loaded }: HostReport): string {
  if (loaded.kind === 'incapable') return cannot(loaded.reason);
  const { kmods } = loaded.value;
  const tainted = kmods.filter((kmod) => kmod.taint !== '').length;
  const halfDead = kmods.filter((kmod) => stateWord(kmod.state) !== 'live').length;
  return [
    counted(kmods.length, 'kmod'),
    tainted === 0 ? undefined : `${tainted} that taint the kernel`,
    halfDead === 0 ? undefined : `${halfDead} not live`,
  ]
    .filter((part) => part !== undefined)
    .join(', ');
}

function parametersLine({ parameters }: HostReport): string {
  if (parameters.kind === 'incapable') return cannot(parameters.reason);
  const all = parameters.value.kmods.flatMap((kmod) => kmod.parameters);
  const unreadable = all.filter((parameter) => parameter.value === undefined).length;
  const total = `${counted(all.length, 'parameter')} of ${counted(parameters.value.kmods.length, 'kmod')}`;
  return unreadable === 0 ? total : `${total}, ${unreadable} that cannot be read`;
}

function availableLine({ available }: HostReport): string {
  if (available.kind === 'incapable') return cannot(available.reason);
  const { onDisk, builtin, folder } = available.names;
  return `${counted(onDisk.size, 'kmod')} on disk, ${builtin.size.toLocaleString('en-US')} built in (${folder})`;
}

function devicesLine({ devices }: HostReport): string {
  if (devices.kind === 'incapable') return cannot(devices.reason);
  const all = devices.value.devices;
  const driven = all.filter((device) => device.driver !== '');
  const byKmod = driven.filter((device) => !device.builtin).length;
  return `${counted(all.length, 'device')}, ${driven.length} driven: ${byKmod} by kmods, ${driven.length - byKmod} by built-in code`;
}

function configLine({ config }: HostReport): string {
  if (config.kind === 'incapable') return cannot(config.reason);
  const { modprobe, modulesLoad, blocks } = config.value;
  return [
    `${counted(modprobe.length, 'line')} of modprobe.d`,
    `${counted(modulesLoad.length, 'kmod')} loaded at boot`,
    counted(blocks.length, 'block'),
    ...switches(config.value),
  ].join(', ');
}

/** The kernel's switches that it has and that can be read; one that cannot be read is among the notes. */
export function switches(config: ConfigFacet): string[] {
  const yesNo = (value: boolean | undefined): string | undefined =>
    value === undefined ? undefined : value ? 'yes' : 'no';
  return [
    ['modules_disabled', yesNo(config.modulesDisabled)],
    ['lockdown', config.lockdown],
    ['sig_enforce', yesNo(config.sigEnforce)],
    ['Secure Boot', yesNo(config.secureBoot)],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
}

function loadedSection({ loaded, procModules }: HostReport): string | undefined {
  if (loaded.kind === 'incapable' || loaded.value.kmods.length === 0) return undefined;
  const lines = new Map(procModules.map((kmod) => [kmod.name, kmod]));
  const rows = loaded.value.kmods.map((kmod) => {
    const line = lines.get(kmod.name);
    const users = line?.permanent === true ? [...line.users, '[permanent]'] : (line?.users ?? []);
    return [
      kmod.name,
      String(kmod.size),
      line?.refcount === undefined ? '-' : String(line.refcount),
      stateWord(kmod.state),
      kmod.taint === '' ? '-' : kmod.taint,
      kmod.buildId === '' ? 'unreadable' : kmod.buildId.slice(0, 12),
      users.join(' '),
    ];
  });
  return textTable([['LOADED KMOD', 'SIZE', 'REFS', 'STATE', 'TAINT', 'BUILD ID', 'USED BY'], ...rows]);
}

function devicesSection({ devices }: HostReport): string | undefined {
  if (devices.kind === 'incapable') return undefined;
  const drivers = groupByDriver(devices.value);
  if (drivers.length === 0) return undefined;
  const rows = drivers.map(({ first, all }) => [
    first.driver,
    first.bus,
    first.builtin ? '(built in)' : first.kmod,
    String(all.length),
    [...new Set(all.flatMap((device) => device.names))].join(' '),
  ]);
  return textTable([['DRIVER', 'BUS', 'KMOD', 'DEVICES', 'CARRIES'], ...rows]);
}

function groupByDriver(devices: DevicesFacet): { first: Device; all: Device[] }[] {
  const groups = new Map<string, { first: Device; all: Device[] }>();
  for (const device of devices.devices.filter(({ driver }) => driver !== '')) {
    const key = `${device.driver}\0${device.bus}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { first: device, all: [device] });
    else group.all.push(device);
  }
  return [...groups.keys()].sort().flatMap((key) => groups.get(key) ?? []);
}

function blocksSection({ config }: HostReport): string | undefined {
  if (config.kind === 'incapable' || config.value.blocks.length === 0) return undefined;
  const rows = config.value.blocks.map((block) => [
    block.kmod === '' ? '(all)' : block.kmod,
    rungWord(block.rung),
    block.line === 0 ? block.file : `${block.file}:${block.line}`,
    block.detail,
  ]);
  return textTable([['BLOCKED KMOD', 'RUNG', 'WHERE', 'WHAT'], ...rows]);
}

function unreadableSection({ config }: HostReport): string | undefined {
  if (config.kind === 'incapable' || config.value.unreadable.length === 0) return undefined;
  return ['NOTE', ...config.value.unreadable.map((line) => printable(line))].join('\n');
}

function cannot(reason: string): string {
  return `cannot be told: ${reason}`;
}
