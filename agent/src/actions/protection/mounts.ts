import type { HostFiles, ReadOutcome } from '../../host/host-files.ts';
import { mapOutcome } from '../../host/read-outcome.ts';

/** One line of mountinfo (proc_pid_mountinfo(5)). */
export interface Mount {
  readonly device: { readonly major: number; readonly minor: number };
  /** What of the file system is mounted: a folder, or `net:[4026532177]` of nsfs. */
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly source: string;
  readonly superOptions: string;
}

/** The mounts that the host sees: those of process 1, else ours (a service may see fewer, or read-only binds of them). */
export async function readMounts(files: HostFiles): Promise<ReadOutcome<readonly Mount[]>> {
  const first = await files.readText('/proc/1/mountinfo');
  return mapOutcome(first.kind === 'ok' ? first : await files.readText('/proc/self/mountinfo'), parseMountinfo);
}

/** Lines that cannot be understood are left out; the format has only ever grown by optional fields. */
export function parseMountinfo(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const fields = before?.split(' ') ?? [];
    const [type, source, superOptions] = after?.split(' ') ?? [];
    const [major, minor] = (fields[2] ?? '').split(':').map(Number);
    const [root, point] = fields.slice(3, 5);
    if (
      root === undefined ||
      point === undefined ||
      type === undefined ||
      source === undefined ||
      major === undefined ||
      minor === undefined
    )
      return [];
    return [
      {
        device: { major, minor },
        root: unescape(root),
        point: unescape(point),
        type,
        source: unescape(source),
        superOptions: unescape(superOptions ?? ''),
      },
    ];
  });
}

/** The mount that a path lies on: the last of the longest that match, as later mounts hide earlier ones. */
export function mountOf(mounts: readonly Mount[], path: string): Mount | undefined {
  let best: Mount | undefined;
  for (const mount of mounts) {
    const inside = mount.point === '/' || path === mount.point || path.startsWith(`${mount.point}/`);
    if (inside && (best === undefined || mount.point.length >= best.point.length)) best = mount;
  }
  return best;
}

/** Blanks, tabs, newlines and backslashes are octal there (seq_escape of the kernel). */
export function unescape(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
