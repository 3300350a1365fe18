import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LabError } from '../lab-error.ts';
import { labPaths } from '../lab-paths.ts';
import { withPidLock } from '../pid-lock.ts';
import { runProgram } from '../run-program.ts';
import type { KernelSeries } from '../types.ts';
import {
  FAST_ROOT_PACKAGES,
  headerCompanions,
  imageSearchPattern,
  newestRelease,
  type PackageFile,
  parsePrintUris,
} from './package-groups.ts';

/** The packages of one kernel: everything to boot it and to build kmods for it. */
export interface KernelPackages {
  release: string;
  files: PackageFile[];
}

/** Which package files the images are made from. Kept in the cache, so that booting asks apt nothing. */
interface Resolution {
  kernels: Partial<Record<KernelSeries, KernelPackages>>;
  /** `names`: what was asked for; a changed list is asked again. */
  fastRoot?: { names: string; files: PackageFile[] };
  /** When the full root's versions were taken to be the newest, ISO; mmdebstrap itself picks them. */
  fullRootAt?: string;
}

const resolutionFile = (): string => join(labPaths.cache, 'packages.json');

async function readResolution(): Promise<Resolution> {
  const text = await readFile(resolutionFile(), 'utf8').catch(() => undefined);
  return text === undefined ? { kernels: {} } : (JSON.parse(text) as Resolution);
}

/** Read, change, write under a lock: hosts that boot side by side resolve side by side, and none may undo what another found. */
async function remember(change: (resolution: Resolution) => void): Promise<void> {
  const quiet = (): void => undefined;
  await withPidLock(`${resolutionFile()}.lock`, quiet, async () => {
    const resolution = await readResolution();
    change(resolution);
    const partial = `${resolutionFile()}.partial`;
    await writeFile(partial, `${JSON.stringify(resolution, undefined, 2)}\n`);
    await rename(partial, resolutionFile());
  });
}

async function packageFiles(names: readonly string[]): Promise<PackageFile[]> {
  const files = parsePrintUris(await runProgram('apt-get', ['download', '--print-uris', '-qq', ...names]));
  if (files.length !== names.length) {
    throw new LabError(
      `apt knows ${files.length} of these ${names.length} packages: ${names.join(' ')}. Run apt-get update as root.`,
    );
  }
  return files;
}

async function askAptForKernel(series: KernelSeries): Promise<KernelPackages> {
  const found = await runProgram('apt-cache', ['search', '--names-only', imageSearchPattern(series)]);
  const release = newestRelease(
    series,
    found.split('\n').map((line) => line.split(' ')[0] ?? ''),
  );
  if (release === undefined) {
    throw new LabError(
      `apt knows no Debian cloud kernel of the ${series} series. Run apt-get update as root; ` +
        'the packages are in Debian 12 (bookworm) and its security archive.',
    );
  }
  const headers = `linux-headers-${release}`;
  const description = await runProgram('apt-cache', ['show', '--no-all-versions', headers]);
  const depends = /^Depends: (.*)$/m.exec(description)?.[1] ?? '';
  const names = [`linux-image-${release}`, headers, ...headerCompanions(depends)];
  return { release, files: await packageFiles(names) };
}

/** The newest kernel of a series that apt knew when this was first asked (or since `forgetResolution`). */
export async function resolveKernel(series: KernelSeries): Promise<KernelPackages> {
  const known = (await readResolution()).kernels[series];
  if (known !== undefined) return known;
  const kernel = await askAptForKernel(series);
  await remember((resolution) => {
    resolution.kernels[series] = kernel;
  });
  return kernel;
}

/** The package files of a fast host's root. */
export async function resolveFastRoot(): Promise<PackageFile[]> {
  const known = (await readResolution()).fastRoot;
  const names = FAST_ROOT_PACKAGES.join(' ');
  if (known?.names === names) return known.files;
  const files = await packageFiles(FAST_ROOT_PACKAGES);
  await remember((resolution) => {
    resolution.fastRoot = { names, files };
  });
  return files;
}

/** Part of the full root's key: changes with forgetResolution only. */
export async function resolveFullRoot(): Promise<string> {
  const known = (await readResolution()).fullRootAt;
  if (known !== undefined) return known;
  const now = new Date().toISOString();
  await remember((resolution) => {
    resolution.fullRootAt = now;
  });
  return now;
}

/** Makes the next build ask apt again which versions are the newest. */
export async function forgetResolution(): Promise<void> {
  await remember((resolution) => {
    resolution.kernels = {};
    delete resolution.fastRoot;
    delete resolution.fullRootAt;
  });
}
