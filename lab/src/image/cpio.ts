/** One entry of a cpio archive. Folders come before what they hold. */
export interface CpioEntry {
  path: string;
  /** Unix mode with the file type bits, e.g. 0o100755 for a program, 0o040755 for a folder. */
  mode: number;
  content: Uint8Array;
}

const ALIGNMENT = 4;

const padded = (bytes: Uint8Array): Uint8Array => {
  const rest = bytes.length % ALIGNMENT;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(ALIGNMENT - rest)]);
};

const hex = (value: number): string => value.toString(16).padStart(8, '0');

function member(entry: CpioEntry, inode: number): Uint8Array[] {
  const name = Buffer.from(`${entry.path}\0`);
  // Fields in order: ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check.
  const fields = [inode, entry.mode, 0, 0, 1, 0, entry.content.length, 0, 0, 0, 0, name.length, 0];
  const header = Buffer.from(`070701${fields.map(hex).join('')}`);
  return [padded(Buffer.concat([header, name])), padded(entry.content)];
}

/**
 * A cpio archive in the "newc" form that Linux unpacks as its initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 * Archives may be concatenated; every file belongs to root.
 */
export function cpioArchive(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => member(entry, index + 1));
  parts.push(...member({ path: 'TRAILER!!!', mode: 0, content: new Uint8Array() }, 0));
  return Buffer.concat(parts);
}

const folder = (path: string): CpioEntry => ({ path, mode: 0o040755, content: new Uint8Array() });

/** A file for cpioEntries: permission bits only; a symbolic link has its target as content. */
export interface CpioFile {
  content: Uint8Array;
  mode: number;
  link?: boolean;
}

/** A symbolic link for cpioEntries. */
export const symlink = (target: string): CpioFile => ({ content: Buffer.from(target), mode: 0o777, link: true });

/** Files by path (no leading slash) as entries, with the folders that they need in front. */
export function cpioEntries(files: ReadonlyMap<string, CpioFile>): CpioEntry[] {
  const entries: CpioEntry[] = [];
  const seen = new Set<string>();
  for (const [path, file] of files) {
    const steps = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= steps.length; depth += 1) {
      const parent = steps.slice(0, depth).join('/');
      if (!seen.has(parent)) entries.push(folder(parent));
      seen.add(parent);
    }
    entries.push({ path, mode: (file.link ? 0o120000 : 0o100000) | file.mode, content: file.content });
  }
  return entries;
}
