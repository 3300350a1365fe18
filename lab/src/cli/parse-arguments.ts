import { parseArgs } from 'node:util';
import { LabError } from '../lab-error.ts';
import {
  HOST_KINDS,
  HOST_NETWORKS,
  type HostKind,
  type HostNetwork,
  KERNEL_SERIES,
  type KernelSeries,
  ROOT_DISKS,
  type RootDisk,
} from '../types.ts';

/** What the person wants, checked. */
export type LabCommand =
  | { command: 'help' }
  | { command: 'check' }
  | { command: 'build'; kinds: readonly HostKind[]; series: readonly KernelSeries[]; update: boolean }
  | {
      command: 'boot';
      kind: HostKind;
      series: readonly KernelSeries[];
      count: number;
      network: HostNetwork;
      rootDisk: RootDisk;
      packages: readonly string[];
      config: string | undefined;
      joinFile: string | undefined;
    }
  | {
      command: 'oracle';
      kinds: readonly HostKind[];
      series: readonly KernelSeries[];
      network: HostNetwork | undefined;
      only: readonly string[];
      sample: number;
    }
  | { command: 'list' }
  | { command: 'shell'; name: string }
  | { command: 'clean'; all: boolean };

const MAX_HOSTS = 16;

const MAX_SAMPLE = 20;

const OPTIONS = {
  kind: { type: 'string' },
  series: { type: 'string' },
  count: { type: 'string' },
  network: { type: 'string' },
  'root-disk': { type: 'string' },
  packages: { type: 'string' },
  only: { type: 'string' },
  sample: { type: 'string' },
  config: { type: 'string' },
  'join-file': { type: 'string' },
  update: { type: 'boolean' },
  all: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

const usageError = (message: string): LabError => new LabError(`${message}. See: npm run lab -- --help`);

function oneOf<T extends string>(option: string, value: string | undefined, allowed: readonly T[]): T | undefined {
  if (value === undefined) return undefined;
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw usageError(`--${option} ${JSON.stringify(value)}: it is one of ${allowed.join(', ')}`);
  return found;
}

/** From 1, which is also the default, to `most`. */
function wholeNumber(option: string, value: string | undefined, most: number): number {
  if (value === undefined) return 1;
  const count = Number(value);
  if (!Number.isInteger(count) || count < 1 || count > most) {
    throw usageError(`--${option} ${JSON.stringify(value)}: it is a whole number from 1 to ${most}`);
  }
  return count;
}

const listOf = (value: string | undefined): string[] => value?.split(',').filter((word) => word !== '') ?? [];

interface TopologyValues {
  network?: string | undefined;
  'root-disk'?: string | undefined;
  packages?: string | undefined;
}

/** Only full hosts have these; who asks for one need not say so. */
const needsFull = (values: TopologyValues): boolean =>
  values.network !== undefined || values['root-disk'] !== undefined || values.packages !== undefined;

function topology(values: TopologyValues) {
  return {
    network: oneOf('network', values.network, HOST_NETWORKS) ?? 'networkd',
    rootDisk: oneOf('root-disk', values['root-disk'], ROOT_DISKS) ?? 'plain',
    packages: listOf(values.packages),
  } as const;
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error));
  }
}

/** Reads the command line; LabError names what is wrong with it. */
export function parseArguments(argv: readonly string[]): LabCommand {
  const { values, positionals } = parsed(argv);
  const [command = 'help', ...rest] = positionals;
  if (values.help || command === 'help') return { command: 'help' };
  const [extra] = command === 'shell' ? rest.slice(1) : rest;
  if (extra !== undefined) throw usageError(`${JSON.stringify(extra)} is one word too many`);
  const kind = oneOf('kind', values.kind, HOST_KINDS);
  const series = oneOf('series', values.series, KERNEL_SERIES);
  const allSeries = series === undefined ? KERNEL_SERIES : [series];
  switch (command) {
    case 'check':
    case 'list':
      return { command };
    case 'build':
    case 'prepare':
      return {
        command: 'build',
        kinds: kind === undefined ? HOST_KINDS : [kind],
        series: allSeries,
        update: values.update ?? false,
      };
    case 'boot':
      return {
        command,
        kind: kind ?? (needsFull(values) ? 'full' : 'fast'),
        series: allSeries,
        count: wholeNumber('count', values.count, MAX_HOSTS),
        ...topology(values),
        config: values.config,
        joinFile: values['join-file'],
      };
    case 'oracle':
      return {
        command,
        kinds: kind === undefined ? (values.network === undefined ? HOST_KINDS : ['full']) : [kind],
        series: allSeries,
        network: oneOf('network', values.network, HOST_NETWORKS),
        only: listOf(values.only),
        sample: wholeNumber('sample', values.sample, MAX_SAMPLE),
      };
    case 'shell':
      if (rest[0] === undefined) throw usageError('shell needs the name of a host (npm run lab -- list)');
      return { command, name: rest[0] };
    case 'clean':
      return { command, all: values.all ?? false };
    default:
      throw usageError(`there is no command ${JSON.stringify(command)}`);
  }
}
