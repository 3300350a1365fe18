import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from './paths.ts';

/** Licences under which anything may be used here: permissive, no conditions on our own code. */
const TAKEN: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
]);

/** Weak copyleft: fine for a tool that runs on a developer's machine and is shipped with nothing. */
const TAKEN_FOR_TOOLS: ReadonlySet<string> = new Set(['MPL-2.0']);

/** Packages that say nothing, or something else, in package.json. */
const LOOKED_AT: Readonly<Record<string, string>> = {
  buildcheck: 'MIT by its LICENSE file; a tool of ssh2, in tests only',
  'cpu-features': 'MIT by its LICENSE file; optional part of ssh2, in tests only',
  ssh2: 'MIT by its LICENSE file; part of testcontainers, in tests only',
  'seq-queue': 'MIT by its LICENSE file; part of Prisma’s development server, never loaded by modfleet-server',
  elkjs: 'EPL-2.0; part of Prisma’s studio, which the Prisma CLI brings along; never loaded by modfleet-server',
};

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly link?: boolean;
}

export interface PackageLicence {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  /** Runs on developers' machines alone. */
  readonly tool: boolean;
}

/** Every package of package-lock.json with its licence, by name. */
export function licences(): PackageLicence[] {
  const lock = JSON.parse(readFileSync(join(repository, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { link }]) => path.includes('node_modules/') && link !== true)
    .map(([path, { version = '', license = 'none', dev = false }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      licence: license,
      tool: dev,
    }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** Packages whose licence nobody has looked at yet. */
export function unknownLicences(packages: readonly PackageLicence[]): PackageLicence[] {
  return packages.filter(({ name, licence, tool }) => {
    const parts = licence.replaceAll(/[()]/g, '').split(/ and | or /i);
    const taken = parts.every((part) => TAKEN.has(part) || (tool && TAKEN_FOR_TOOLS.has(part)));
    return !taken && !Object.hasOwn(LOOKED_AT, name);
  });
}

/** What was looked at by hand, and is in the tree. */
export function lookedAt(packages: readonly PackageLicence[]): string[] {
  const names = new Set(packages.map(({ name }) => name));
  return Object.entries(LOOKED_AT)
    .filter(([name]) => names.has(name))
    .map(([name, why]) => `${name}: ${why}`);
}
