import { cp, mkdir, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { labPaths } from '../lab-paths.ts';
import { runProgram } from '../run-program.ts';
import type { Progress } from '../types.ts';

/**
 * Which test kmods are installed compressed, so that every kind of file that Debian's kmod reads is in each tree
 * (6.1 ships plain files, 6.12 .xz). CRC32 is the only xz check that the kernel's own decoder knows.
 */
const COMPRESSED: Readonly<Record<string, { program: string; args: readonly string[] }>> = {
  'mf_base.ko': { program: 'xz', args: ['--check=crc32', '-f'] },
  'mf_dependent.ko': { program: 'zstd', args: ['-q', '-f', '--rm'] },
};

/** Builds lab/kmods against unpacked headers; gives the folder with the .ko files, without debug information. */
export async function buildKmods(headers: string, progress: Progress): Promise<string> {
  const work = join(dirname(headers), 'lab-kmods');
  await cp(labPaths.kmodSources, work, { recursive: true });
  progress(`building the test kmods with ${headers.split('/').at(-1)}`);
  // Type information for BPF needs the program pahole and serves nobody here.
  await runProgram('make', ['-C', headers, `M=${work}`, 'CONFIG_DEBUG_INFO_BTF_MODULES=', 'modules']);
  const built = join(work, 'built');
  await mkdir(built);
  for (const name of (await readdir(work)).filter((file) => file.endsWith('.ko'))) {
    const target = join(built, name);
    await runProgram('strip', ['--strip-debug', '-o', target, join(work, name)]);
    const compression = COMPRESSED[name];
    if (compression !== undefined) await runProgram(compression.program, [...compression.args, target]);
  }
  return built;
}
