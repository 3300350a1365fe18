import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { codeOf } from '../../error-words.ts';

/** An open file of the journal. Every method ends when the kernel has answered; only the syncs promise more. */
export interface DiskFile {
  /** Writes at this position and gives how many bytes it took. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** fdatasync(2). */
  datasync(): Promise<void>;
  /** fsync(2). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the journal needs of a disk: a port, so that tests can crash, tear and fill one. */
export interface Disk {
  /** Makes the folder and those above it, mode 0700. */
  makeFolder(folder: string): Promise<void>;
  /** Undefined when there is no such file. */
  read(file: string): Promise<Buffer | undefined>;
  /** `change`: an existing file, as it is. `create`: made if need be and emptied, mode 0600. */
  open(file: string, how: 'change' | 'create'): Promise<DiskFile>;
  rename(from: string, to: string): Promise<void>;
  /** Nothing happens when there is no such file. */
  remove(file: string): Promise<void>;
  /** fsync(2) of the folder: names in it survive a crash. */
  syncFolder(folder: string): Promise<void>;
}

/** The disk of this machine. */
export const hostDisk: Disk = {
  makeFolder: async (folder) => void (await mkdir(folder, { recursive: true, mode: 0o700 })),
  read: readIfThere,
  open: async (file, how) => diskFile(await (how === 'create' ? open(file, 'w+', 0o600) : open(file, 'r+'))),
  rename,
  remove: (file) => rm(file, { force: true }),
  syncFolder: async (folder) => {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

function diskFile(handle: FileHandle): DiskFile {
  return {
    write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
    truncate: (length) => handle.truncate(length),
    datasync: () => handle.datasync(),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await readFile(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
